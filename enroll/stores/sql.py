"""Templates in an SQL database, sealed; the data keys are in a key store beside it.

    enroll    new person: data key into the key store  →  rows, request, audit in one transaction  →  revision noted
    erase     rows, request, audit, and the key's name into `shredding`, in one transaction  →  key destroyed
    get       one statement; the key from memory or the key store

A crash between two steps leaves a key that seals nothing, a revision that the next read notes, or a key in `shredding`
that the next start, or the repeated call, destroys: never a person half there, and never an erasure that was answered
and not done.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert

from encode.errors import Conflict
from encode.sample import Modality
from enroll.audit.event import AuditEvent
from enroll.audit.log import AuditLog
from enroll.audit.recording import Change, Recorder
from enroll.audit.writer import AuditWriter
from enroll.keys.envelope import Cipher
from enroll.keys.store import KeyStore
from enroll.stores import history, kept_samples, listing
from enroll.stores.changes import note_change
from enroll.stores.collection import CollectionSettings
from enroll.stores.collection_table import CollectionTable
from enroll.stores.database import Database
from enroll.stores.glance import NOBODY, Stored, unchanged
from enroll.stores.guarded_read import GuardedRead
from enroll.stores.history import VersionSummary
from enroll.stores.kept_samples import KeptSample
from enroll.stores.person_change import PersonChange, forget_samples, in_force
from enroll.stores.person_keys import PersonKeys, doom
from enroll.stores.person_rows import PERSON, PERSON_LOCKED, THIS, WITH_TEMPLATES, delete_held, these
from enroll.stores.requests import RememberedRequests
from enroll.stores.roll import SqlRoll
from enroll.stores.schema import people, shredding
from enroll.stores.sealed import open_person, open_state
from enroll.stores.shared_commit import SharedCommit
from enroll.stores.store import (
    EnrolledPerson,
    PersonSummary,
    Request,
    one_person,
    require_samples_of,
    require_unchanged,
    version_conflict,
)
from enroll.template import Template


class SqlStore:
    """A :class:`~enroll.stores.store.TemplateStore` in a database whose schema is this release's.

    Parameters
    ----------
    keys : the key store that belongs to the data.
    clock : tells the time in UTC.
    audit : the log that mutations are recorded in; none are without it.

    Attributes
    ----------
    recorder : transactions of the database, and their entries in the log.

    Raises
    ------
    StoreUnavailable : the database cannot be used.
    AuditBroken : the audit log has no head, or one sealed with another key.
    StoreCorrupt : a data key is marked for destruction that no erasure has marked.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        audit: AuditLog | None = None,
    ) -> None:
        self.database = database
        self.keys = keys
        self._clock = clock
        self._audit = audit
        self.recorder = Recorder(database.writing, audit)
        self._commits = SharedCommit(self.recorder.writing, shared=database.one_writer)
        self._requests = RememberedRequests(keys, clock)
        self._data_keys = PersonKeys(database, keys)
        self._read = GuardedRead(database, keys, self._data_keys)
        self._settings = CollectionTable(database, keys)
        if audit is not None:
            with database.writing() as connection:
                head = audit.open(connection)
            audit.confirm(head)
        self._data_keys.shred()
        self._data_keys.require_no_forgery()

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        return self.read(collection, person).templates

    def read(self, collection: str, person: str, known: Stored | None = None) -> Stored:
        if known is not None and unchanged(self.database, self.keys, collection, person, known):
            return known
        return self._read(WITH_TEMPLATES, these(collection, person), _open_stored, NOBODY)

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        with self.database.reading() as connection:
            return listing.list_people(connection, collection, after=after, limit=limit)

    def iterate_people(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[EnrolledPerson]:
        with self.database.reading() as connection:
            return listing.iterate_people(connection, after=after, limit=limit)

    def versions_of(self, collection: str, person: str, modality: Modality) -> list[VersionSummary]:
        wanted = {**these(collection, person), "modality": modality.value}
        return self._read(history.ALL, wanted, lambda cipher, rows: history.open_versions(cipher, rows, modality), [])

    def version(self, collection: str, person: str, modality: Modality, version: int) -> Template:
        wanted = {**these(collection, person), "modality": modality.value, "version": version}
        read = history.open_version
        found = self._read(history.ONE, wanted, lambda cipher, rows: read(cipher, rows, modality, version), None)
        if found is None:
            raise history.version_unknown()
        return found

    def samples_of(self, collection: str, person: str, modality: Modality) -> list[KeptSample]:
        wanted, read = {**these(collection, person), "modality": modality.value}, kept_samples.open_samples
        return self._read(kept_samples.OF_PERSON, wanted, lambda cipher, rows: read(cipher, rows, modality), [])

    def samples_kept(self, collection: str) -> int:
        with self.database.reading() as connection:
            return kept_samples.count(connection, collection)

    def drop_samples(self, collection: str) -> int:
        owners, person = 0, ""
        while True:
            with self.database.reading() as connection:
                # Behind the last: PostgreSQL would pass over what is deleted and not yet vacuumed again and again.
                found = kept_samples.somebody_of(connection, collection, after=person)
            if found is None:
                break
            person = found
            self._drop_samples(collection, person)
            owners += 1
        self.database.scrub()
        return owners

    def settings_of(self, collection: str) -> CollectionSettings:
        return self._settings.get(collection)

    def configure(self, collection: str, settings: CollectionSettings, event: AuditEvent | None = None) -> None:
        with self.recorder.writing() as change:
            self._settings.put(change.connection, collection, settings)
            change.tell(event)
        self._settings.forget(collection)

    def configured(self) -> dict[str, CollectionSettings]:
        return self._settings.all()

    def recorded(self, request: Request) -> bytes | None:
        with self.database.reading() as connection:
            answer = self._requests.recorded(connection, request)
        if answer is not None:
            # The call that recorded it may have died before its key was destroyed.
            self._data_keys.shred()
        return answer

    def save(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
        samples: Sequence[KeptSample] = (),
        drop_samples: bool = False,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        require_samples_of(listed, samples)
        kept = self._settings.get(collection).versions_kept
        with self.database.reading() as connection:
            row = connection.execute(PERSON, these(collection, person)).one_or_none()
        key = self.keys.create() if row is None else self._data_keys.of(row)
        written = PersonChange(listed, key, "" if event is None else event.action.value, kept, samples, drop_samples)

        def write(change: Change) -> tuple[bytes | None, int]:
            connection, mine = change.connection, written
            earlier = self._enter(connection, request, collection, person)
            if earlier is not None:
                return earlier, 0
            if samples and not self._settings.locked(connection, collection).keep_samples:
                mine = replace(mine, samples=())
            revision = mine.write(connection, new=row is None, now=self._clock())
            self._requests.record(connection, request, answer, key)
            change.tell(event)
            return None, revision

        try:
            earlier, revision = self._commits.run(write)
        except Conflict:
            if row is None:
                self._data_keys.discard(key)
            raise
        if earlier is not None:
            if row is None:
                self._data_keys.discard(key)
            return earlier
        self._data_keys.changed(key, revision)
        if drop_samples:
            self.database.scrub()
        return answer

    def erase(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        with self.recorder.writing() as change:
            earlier = self._enter(change.connection, request, collection, person)
            if earlier is None:
                self._remove(change.connection, listed, collection, person)
                self._requests.record(change.connection, request, answer, None)
                change.tell(event)
        self._data_keys.shred()
        self.database.scrub()
        return answer if earlier is None else earlier

    def roll(self) -> SqlRoll:
        return SqlRoll(self.database, self.keys)

    def audit_writer(self) -> AuditWriter | None:
        return None if self._audit is None else AuditWriter(self._audit, self.database.writing)

    def close(self) -> None:
        self.keys.close()
        self.database.close()

    def _enter(self, connection: Connection, request: Request | None, collection: str, person: str) -> bytes | None:
        """Begin a mutation: nobody else changes the person until it ends. The answer, if it was made before."""
        self.database.lock(connection, *self._requests.lock_names(request, collection, person))
        self._requests.forget_old(connection)
        return self._requests.recorded(connection, request)

    def _remove(self, connection: Connection, listed: tuple[Template, ...], collection: str, person: str) -> None:
        owner = these(collection, person)
        if (row := connection.execute(PERSON_LOCKED, owner).one_or_none()) is None:
            raise version_conflict()
        key = self._data_keys.of(row)
        state = open_state(key.cipher, collection, person, row.revision, row.state)
        require_unchanged(in_force(state), listed)
        delete_held(connection, collection, person)
        connection.execute(delete(people).where(THIS), owner)
        note_change(connection, row.key_ref)
        self._requests.forget_person(connection, row.key_ref)
        connection.execute(insert(shredding).values(doom(key)))

    def _drop_samples(self, collection: str, person: str) -> None:
        revision = 0
        with self.database.writing() as connection:
            self._enter(connection, None, collection, person)
            row = connection.execute(PERSON_LOCKED, these(collection, person)).one_or_none()
            key = None if row is None else self._data_keys.of(row)
            if row is not None and key is not None:
                revision = forget_samples(connection, row, key)
            kept_samples.drop_all(connection, collection, person)
        if key is not None:
            self._data_keys.changed(key, revision)


def _open_stored(cipher: Cipher, rows: Sequence[Row[Any]]) -> Stored:
    first = rows[0]
    return Stored((first.key_ref, first.revision, first.state), open_person(cipher, rows))
