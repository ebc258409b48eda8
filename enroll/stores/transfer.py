"""Export and import of sealed templates, while services run.

An export is one consistent moment of the data. It holds no data key unless asked to, so that erasure reaches it as it
reaches backups; with keys it can move people to another store whose ring holds the same key-encryption key.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import and_, insert, select

from encode.errors import FieldInvalid, StoreCorrupt, StoreUnavailable
from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.export_file import (
    ExportedPerson,
    ExportedTemplate,
    ExportHead,
    ExportWriter,
    Manifest,
    WrappedKey,
    check_export,
    read_people,
)
from enroll.stores.schema import people, templates
from enroll.stores.sealed import open_state

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Imported:
    """People of an export: taken in, already there, erased since (no key opens them), and with changed content."""

    added: int = 0
    present: int = 0
    erased: int = 0
    corrupt: int = 0


def export_people(database: Database, keys: KeyStore, path: Path, *, with_keys: bool = False) -> Manifest:
    """Write everybody to a new file, readable by its owner only.

    Raises
    ------
    StoreUnavailable : the database cannot be read, or the file not written or is there already.
    """
    head = ExportHead(store_id=keys.store_id, with_keys=with_keys, made_at=datetime.now(UTC))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unwritable(error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer = ExportWriter(file, head)
            for person in _everybody(database):
                found = keys.wrapped(person.key_ref) if with_keys else None
                key = None if found is None else WrappedKey(key_id=found[0], wrapped=found[1])
                writer.add(person if key is None else person.model_copy(update={"key": key}))
            manifest = writer.finish()
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(error) from error
        raise
    return manifest


def import_people(
    database: Database, keys: KeyStore, path: Path, *, told: Callable[[int, int], None] = lambda done, total: None
) -> Imported:
    """Add the people of an export who are not there; safe to repeat, so that one that was stopped can go on.

    Nothing is written unless the whole file agrees with its manifest. People already there are left as they are.

    Raises
    ------
    FieldInvalid : the file is not a whole export, or another store's without keys.
    StoreKeyMissing : its data keys are wrapped with a key that is not at hand. StoreUnavailable : the database failed.
    """
    head, manifest = check_export(path)
    if not head.with_keys and head.store_id != keys.store_id:
        raise FieldInvalid(
            "the export is another store's, and holds no keys",
            field="file",
            fix="export with --with-keys, and give the key that wraps them here too",
        )
    counts = {"added": 0, "present": 0, "erased": 0, "corrupt": 0}
    for number, person in enumerate(read_people(path), 1):
        counts[_take_in(database, keys, person)] += 1
        told(number, manifest.people)
    return Imported(**counts)


def _everybody(database: Database) -> Iterator[ExportedPerson]:
    same = and_(people.c.collection == templates.c.collection, people.c.person == templates.c.person)
    held = templates.c
    rows = (
        select(people, held.modality, held.template_id, held.version, held.model_digest, held.payload)
        .select_from(people.join(templates, same))
        .order_by(people.c.collection, people.c.person, held.modality)
        .execution_options(yield_per=_AT_ONCE)
    )
    with database.snapshot() as connection, connection.execute(rows) as found:
        for _, group in groupby(found, key=attrgetter("collection", "person")):
            yield _person(list(group))


def _person(rows: list[Any]) -> ExportedPerson:
    first = rows[0]
    created = first.created_at if first.created_at.tzinfo else first.created_at.replace(tzinfo=UTC)
    return ExportedPerson(
        collection=first.collection,
        person=first.person,
        key_ref=first.key_ref,
        revision=first.revision,
        state=first.state,
        created_at=created,
        templates=tuple(
            ExportedTemplate(
                modality=row.modality,
                template_id=row.template_id,
                version=row.version,
                model_digest=row.model_digest,
                payload=row.payload,
            )
            for row in rows
        ),
    )


def _take_in(database: Database, keys: KeyStore, person: ExportedPerson) -> str:
    """What became of one person of an export, as :class:`Imported` counts it."""
    owner = {"collection": person.collection, "person": person.person}
    mine = and_(*(people.c[name] == value for name, value in owner.items()))
    with database.reading() as connection:
        if connection.execute(select(people.c.key_ref).where(mine)).one_or_none() is not None:
            return "present"
    if person.key is not None:
        keys.adopt(person.key_ref, person.key.key_id, person.key.wrapped)
    key = keys.fresh(person.key_ref)
    if key is None:
        return "erased"
    try:
        versions = open_state(key.cipher, person.collection, person.person, person.revision, person.state)
    except StoreCorrupt:
        return "corrupt"
    if {modality.value: held for modality, held in versions.items()} != {
        one.modality: (one.template_id, one.version) for one in person.templates
    }:
        return "corrupt"
    row = {**owner, **person.model_dump(include={"key_ref", "revision", "state", "created_at"})}
    with database.writing() as connection:
        connection.execute(insert(people).values(row))
        connection.execute(insert(templates), [{**owner, **one.model_dump()} for one in person.templates])
    # A key left over from later changes: what was imported is what counts.
    keys.put_back([(person.key_ref, person.revision)])
    return "added"


def _unwritable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the export cannot be written: {error.strerror}", fix="name a new file in a folder that is writable"
    )
