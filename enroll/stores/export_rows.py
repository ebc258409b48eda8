"""What an export holds, read from the database as of one moment, a few rows at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, and_, select

from enroll.stores.database import Database
from enroll.stores.export_file import ExportedPerson, ExportedSample, ExportedTemplate, ExportedVersion, Extra
from enroll.stores.schema import people, samples, template_versions, templates

_AT_ONCE = 200
_LARGE_AT_ONCE = 8
"""Rows of samples and traces may be of some megabytes each."""

_OWNER = attrgetter("collection", "person")


def everybody(database: Database) -> Iterator[tuple[ExportedPerson, Iterator[Extra]]]:
    """Every person with what follows on the person, in order; read that before the next. Raises StoreUnavailable."""
    same = and_(people.c.collection == templates.c.collection, people.c.person == templates.c.person)
    held = templates.c
    rows = (
        select(people, held.modality, held.template_id, held.version, held.model_digest, held.reason, held.payload)
        .select_from(people.join(templates, same))
        .order_by(people.c.collection, people.c.person, held.modality)
        .execution_options(yield_per=_AT_ONCE)
    )
    with database.snapshot() as connection:
        versions = _Following(connection, template_versions, "version")
        kept = _Following(connection, samples, "sample_id")
        for owner, group in groupby(connection.execute(rows), key=_OWNER):
            yield _person(list(group)), _extras(versions.of(owner), kept.of(owner))


class _Following:
    """The rows of a table in the order of their owners, each owner's handed out once."""

    def __init__(self, connection: Connection, table: Table, last: str) -> None:
        order = (table.c.collection, table.c.person, table.c.modality, table.c[last])
        rows = select(table).order_by(*order).execution_options(yield_per=_LARGE_AT_ONCE)
        self._rows = iter(connection.execute(rows))
        self._next: Any = next(self._rows, None)

    def of(self, owner: tuple[str, str]) -> Iterator[Any]:
        """The rows of `owner`, who comes after whoever was asked for before."""
        while self._next is not None and _OWNER(self._next) <= owner:
            row, self._next = self._next, next(self._rows, None)
            if _OWNER(row) == owner:
                yield row


def _person(rows: list[Any]) -> ExportedPerson:
    first = rows[0]
    return ExportedPerson(
        collection=first.collection,
        person=first.person,
        key_ref=first.key_ref,
        revision=first.revision,
        state=first.state,
        created_at=_in_utc(first.created_at),
        templates=tuple(
            ExportedTemplate(
                modality=row.modality,
                template_id=row.template_id,
                version=row.version,
                model_digest=row.model_digest,
                reason=row.reason,
                payload=row.payload,
            )
            for row in rows
        ),
    )


def _extras(versions: Iterator[Any], kept: Iterator[Any]) -> Iterator[Extra]:
    for row in versions:
        yield ExportedVersion(
            version_of=row.modality,
            template_id=row.template_id,
            version=row.version,
            model_digest=row.model_digest,
            reason=row.reason,
            payload=row.payload,
        )
    for row in kept:
        yield ExportedSample(sample_of=row.modality, sample_id=row.sample_id, at=_in_utc(row.at), payload=row.payload)


def _in_utc(moment: datetime) -> datetime:
    """SQLite gives back the time without its zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
