"""Export and import of sealed templates, while services run.

An export is one consistent moment of the data. It holds no data key unless asked to, so that erasure reaches it as it
reaches backups; with keys it can move people to another store whose ring holds the same key-encryption key.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, and_, insert, select

from encode.errors import FieldInvalid, StoreCorrupt, StoreUnavailable
from enroll.audit.event import NOBODY, Action, AuditEvent, Origin
from enroll.audit.recording import Recorder
from enroll.keys.store import KeyStore
from enroll.stores.changes import note_change
from enroll.stores.collection import CollectionSettings
from enroll.stores.collection_table import CollectionTable
from enroll.stores.database import Database
from enroll.stores.export_file import (
    ExportedPerson,
    ExportedSettings,
    ExportedVersion,
    ExportHead,
    ExportWriter,
    Extra,
    Manifest,
    WrappedKey,
    check_export,
    read_people,
    read_settings,
)
from enroll.stores.export_rows import everybody
from enroll.stores.schema import people, samples, template_versions, templates
from enroll.stores.sealed import State, corrupt, open_state


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
    StoreCorrupt : the settings of a collection were changed by hand.
    """
    head = ExportHead(store_id=keys.store_id, with_keys=with_keys, made_at=datetime.now(UTC))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unwritable(error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer = ExportWriter(file, head)
            for collection, settings in CollectionTable(database, keys).all().items():
                writer.add(ExportedSettings(settings_of=collection, settings=json.loads(settings.to_json())))
            for person, extras in everybody(database):
                found = keys.wrapped(person.key_ref) if with_keys else None
                key = None if found is None else WrappedKey(key_id=found[0], wrapped=found[1])
                writer.add(person if key is None else person.model_copy(update={"key": key}))
                for line in extras:
                    writer.add(line)
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
    database: Database,
    keys: KeyStore,
    path: Path,
    *,
    told: Callable[[int, int], None] = lambda done, total: None,
    recorder: Recorder | None = None,
    origin: Origin = NOBODY,
) -> Imported:
    """Add the people of an export who are not there; safe to repeat, so that one that was stopped can go on.

    Nothing is written unless the whole file agrees with its manifest. People already there are left as they are, and
    so are collections that have settings already. `recorder` tells the audit log of everybody who is added.

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
    work = _Import(
        database, keys, Recorder(database.writing) if recorder is None else recorder, origin, manifest.sha256
    )
    work.settings(read_settings(path))
    counts = {"added": 0, "present": 0, "erased": 0, "corrupt": 0}
    for number, (person, extras) in enumerate(read_people(path), 1):
        counts[work.person(person, extras)] += 1
        told(number, manifest.people)
    return Imported(**counts)


@dataclass(frozen=True, slots=True)
class _Import:
    """One import; `digest` is that of the file."""

    database: Database
    keys: KeyStore
    recorder: Recorder
    origin: Origin
    digest: str

    def settings(self, lines: Iterator[ExportedSettings]) -> None:
        """Take in the settings of collections that have none here. Raises FieldInvalid."""
        table = CollectionTable(self.database, self.keys)
        there = table.all()
        for line in lines:
            if line.settings_of in there:
                continue
            try:
                settings = CollectionSettings.from_json(json.dumps(line.settings).encode())
            except StoreCorrupt as error:
                raise FieldInvalid(error.message, field="file", fix="take another copy of the file") from error
            with self.recorder.writing() as change:
                table.put(change.connection, line.settings_of, settings)
                told = settings.to_json().decode()
                change.tell(AuditEvent(Action.CONFIGURE, origin=self.origin, collection=line.settings_of, subject=told))

    def person(self, person: ExportedPerson, extras: Iterator[Extra]) -> str:
        """What became of one person, as :class:`Imported` counts it."""
        mine = and_(people.c.collection == person.collection, people.c.person == person.person)
        with self.database.reading() as connection:
            if connection.execute(select(people.c.key_ref).where(mine)).one_or_none() is not None:
                return "present"
        adopted = person.key is not None and self.keys.adopt(person.key_ref, person.key.key_id, person.key.wrapped)
        key = self.keys.fresh(person.key_ref)
        if key is None:
            return "erased"
        try:
            state = open_state(key.cipher, person.collection, person.person, person.revision, person.state)
            with self.recorder.writing() as change:
                _insert(change.connection, person, extras, state)
                change.tell(self._event(person))
        except StoreCorrupt:
            if adopted:
                # It may be an erased person's, and would open backups again that nothing here tells of.
                self.keys.destroy([person.key_ref])
            return "corrupt"
        # A key left over from later changes: what was imported is what counts.
        self.keys.put_back([(person.key_ref, person.revision)])
        return "added"

    def _event(self, person: ExportedPerson) -> AuditEvent:
        return AuditEvent(
            Action.DB_IMPORT,
            origin=self.origin,
            collection=person.collection,
            person=person.person,
            models={one.modality: one.model_digest for one in person.templates},
            versions={one.modality: one.version for one in person.templates},
            subject=self.digest,
        )


def _insert(connection: Connection, person: ExportedPerson, extras: Iterator[Extra], state: State) -> None:
    """Write a person's rows. Raises StoreCorrupt unless they are those that the person's state names."""
    owner = {"collection": person.collection, "person": person.person}
    awaited = _named(state)

    def require(*row: str | int) -> None:
        # Before it is written: the database is never asked to take what it refuses.
        if row not in awaited:
            raise corrupt("a person's rows are not those that were exported")
        awaited.remove(row)

    for one in person.templates:
        require(one.modality, one.template_id, one.version)
    row = {**owner, **person.model_dump(include={"key_ref", "revision", "state", "created_at"})}
    connection.execute(insert(people).values(row))
    note_change(connection, person.key_ref)
    connection.execute(insert(templates), [{**owner, **one.model_dump()} for one in person.templates])
    for line in extras:
        if isinstance(line, ExportedVersion):
            require(line.version_of, line.template_id, line.version)
            values = {"modality": line.version_of, **line.model_dump(exclude={"version_of"})}
            connection.execute(insert(template_versions).values({**owner, **values}))
        else:
            require(line.sample_of, line.sample_id)
            values = {"modality": line.sample_of, **line.model_dump(exclude={"sample_of"})}
            connection.execute(insert(samples).values({**owner, **values}))
    if awaited:
        raise corrupt("a person's rows are not those that were exported")


def _named(state: State) -> set[tuple[str | int, ...]]:
    """What the rows of a person must be: modality, id and version of a template; modality and id of a sample."""
    named: set[tuple[str | int, ...]] = set()
    for modality, held in state.items():
        named |= {(modality.value, held.template_id, version) for version in range(held.oldest, held.version + 1)}
        named |= {(modality.value, sample_id) for sample_id in held.samples}
    return named


def _unwritable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the export cannot be written: {error.strerror}", fix="name a new file in a folder that is writable"
    )
