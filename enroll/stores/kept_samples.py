"""Kept samples: what a collection that opted in stores of an enrolment, so that another model can embed it again.

Sealed with the person's data key and gone with it, as templates are. Of a template at most :data:`MOST` samples are
kept: the first ones, which are behind its anchors, and the newest.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select

from encode.sample import Modality
from enroll.keys.envelope import Cipher
from enroll.stores.person_rows import THIS
from enroll.stores.schema import people, samples
from enroll.stores.sealed import corrupt, open_sample, open_state, seal_sample

FIRST = 32
MOST = 64
"""Samples kept of a template: the first `FIRST`, and the newest of the others."""

_SAME = and_(
    people.c.collection == samples.c.collection,
    people.c.person == samples.c.person,
    samples.c.modality == bindparam("modality"),
)
OF_PERSON = (
    select(
        people.c.collection,
        people.c.person,
        people.c.key_ref,
        people.c.revision,
        people.c.state,
        samples.c.sample_id,
        samples.c.at,
        samples.c.payload,
    )
    .select_from(people.outerjoin(samples, _SAME))
    .where(THIS)
)
"""A person's samples of a `modality`, in one statement; one row without an id where there is none."""


@dataclass(frozen=True, slots=True)
class KeptSample:
    """One sample, in bytes that mean something to whoever keeps it; `at` says when it was enrolled, in UTC."""

    modality: Modality
    payload: bytes = field(repr=False)
    at: datetime


def within_limit(samples_kept: Sequence[Any]) -> list[Any]:
    """Those of `samples_kept`, oldest first, that stay."""
    newest = samples_kept[FIRST:][-(MOST - FIRST) :]
    return [*samples_kept[:FIRST], *newest]


def add(
    connection: Connection,
    cipher: Cipher,
    owner: tuple[str, str],
    modality: Modality,
    *,
    before: Sequence[str],
    new: Iterable[KeptSample],
) -> tuple[str, ...]:
    """Store `new` samples beside those of the ids `before`; returns the ids that are kept from now on."""
    made = {secrets.token_hex(8): sample for sample in new}
    kept = within_limit([*before, *made])
    rows = [
        {
            "collection": owner[0],
            "person": owner[1],
            "modality": modality.value,
            "sample_id": sample_id,
            "at": (at := sample.at.astimezone(UTC)),
            "payload": seal_sample(cipher, sample.payload, owner, modality.value, sample_id, at),
        }
        for sample_id, sample in made.items()
        if sample_id in kept
    ]
    if rows:
        connection.execute(insert(samples), rows)
    drop(connection, owner, modality, [sample_id for sample_id in before if sample_id not in kept])
    return tuple(kept)


def drop(connection: Connection, owner: tuple[str, str], modality: Modality, ids: Sequence[str]) -> None:
    """Delete the samples of these ids."""
    if ids:
        mine = and_(samples.c.collection == owner[0], samples.c.person == owner[1])
        these = and_(mine, samples.c.modality == modality.value, samples.c.sample_id.in_(ids))
        connection.execute(delete(samples).where(these))


def drop_all(connection: Connection, collection: str, person: str) -> None:
    """Delete every sample of a person."""
    connection.execute(delete(samples).where(samples.c.collection == collection, samples.c.person == person))


def somebody_of(connection: Connection, collection: str, *, after: str) -> str | None:
    """The first person behind `after` of whom a sample is kept in the collection, if there is one."""
    person = samples.c.person
    mine = select(person).where(samples.c.collection == collection, person > after).order_by(person).limit(1)
    return connection.execute(mine).scalar_one_or_none()


def count(connection: Connection, collection: str) -> int:
    """How many samples are kept in the collection."""
    number = select(func.count()).select_from(samples).where(samples.c.collection == collection)
    return int(connection.execute(number).scalar_one())


def open_samples(cipher: Cipher, rows: Sequence[Any], modality: Modality) -> list[KeptSample]:
    """What rows of :data:`OF_PERSON` hold, oldest first. Raises StoreCorrupt unless they are those stored."""
    first = rows[0]
    owner = first.collection, first.person
    held = open_state(cipher, *owner, first.revision, first.state).get(modality)
    found = {row.sample_id: row for row in rows if row.sample_id is not None}
    wanted = () if held is None else held.samples
    if found.keys() != set(wanted):
        raise corrupt("a person's kept samples are not those that were stored last")
    kept = []
    for sample_id in wanted:
        row = found[sample_id]
        at = row.at.replace(tzinfo=UTC) if row.at.tzinfo is None else row.at.astimezone(UTC)
        kept.append(KeptSample(modality, open_sample(cipher, row.payload, owner, modality.value, sample_id, at), at))
    return kept
