"""Templates in an SQL database, sealed; the data keys are in a key store beside it.

    enroll    new person: data key into the key store  →  rows, request, audit in one transaction  →  revision noted
    erase     rows, request, audit, and the key's name into `shredding`, in one transaction  →  key destroyed
    get       one statement; the key from memory or the key store

A crash between two steps leaves a key that seals nothing, a revision that the next read notes, or a key in `shredding`
that the next start, or the repeated call, destroys: never a person half there, and never an erasure that was answered
and not done.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, select, update

from encode.errors import Conflict, StoreError, StoreUnavailable
from encode.sample import Modality
from enroll.audit.chain import Head
from enroll.audit.event import AuditEvent
from enroll.audit.log import AuditLog
from enroll.audit.writer import AuditWriter
from enroll.keys.cache import DataKey
from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.requests import RememberedRequests
from enroll.stores.schema import people, shredding, templates
from enroll.stores.sealed import corrupt, open_person, open_state, seal_state, seal_template
from enroll.stores.store import (
    PersonSummary,
    Request,
    one_person,
    require_successors,
    require_unchanged,
    version_conflict,
)
from enroll.template import Template

_READS = 3
"""Tries of a read that a write came in between, before rows that disagree with their key are called damaged."""

_SAME = and_(people.c.collection == templates.c.collection, people.c.person == templates.c.person)
_THIS = and_(people.c.collection == bindparam("in_collection"), people.c.person == bindparam("of_person"))
_PERSON = select(people).where(_THIS)
_PERSON_LOCKED = _PERSON.with_for_update()
_EVERYTHING = (
    select(
        people.c.collection,
        people.c.person,
        people.c.key_ref,
        people.c.revision,
        people.c.state,
        templates.c.modality,
        templates.c.template_id,
        templates.c.version,
        templates.c.model_digest,
        templates.c.payload,
    )
    .select_from(people.outerjoin(templates, _SAME))
    .where(_THIS)
    .order_by(templates.c.modality)
)
_PAGE = (
    select(people.c.person)
    .where(people.c.collection == bindparam("collection"), people.c.person > bindparam("after"))
    .order_by(people.c.person)
    .limit(bindparam("limit"))
)
_LIST = (
    select(templates.c.person, templates.c.modality)
    .where(templates.c.collection == bindparam("collection"), templates.c.person.in_(_PAGE))
    .order_by(templates.c.person, templates.c.modality)
)


class SqlStore:
    """A :class:`~enroll.stores.store.TemplateStore` in a database whose schema is this release's.

    Parameters
    ----------
    keys : the key store that belongs to the data.
    clock : tells the time in UTC.
    audit : the log that mutations are recorded in; none are without it.

    Raises
    ------
    StoreUnavailable : the database cannot be used.
    AuditBroken : the audit log has no head, or one sealed with another key.
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
        self._requests = RememberedRequests(keys, clock)
        if audit is not None:
            with database.writing() as connection:
                head = audit.open(connection)
            audit.confirm(head)
        self._shred()

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        for attempt in range(_READS):
            with self.database.reading() as connection:
                rows = connection.execute(_EVERYTHING, _these(collection, person)).all()
            if not rows:
                return ()
            ref, revision = rows[0].key_ref, rows[0].revision
            key = self.keys.get(ref) if attempt == 0 else self.keys.fresh(ref)
            if key is not None and key.revision <= revision:
                opened = open_person(key.cipher, rows)
                self._note(key, revision)
                return opened
        if key is None:
            raise corrupt("the key of a stored person is gone: the data was put back from before an erasure")
        raise corrupt("a person's rows were put back to an earlier revision")

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        found: dict[str, list[Modality]] = {}
        with self.database.reading() as connection:
            rows = connection.execute(_LIST, {"collection": collection, "after": after, "limit": limit})
            for person, modality in rows:
                found.setdefault(person, []).append(Modality(modality))
        return [PersonSummary(person, tuple(modalities)) for person, modalities in found.items()]

    def recorded(self, request: Request) -> bytes | None:
        with self.database.reading() as connection:
            answer = self._requests.recorded(connection, request)
        if answer is not None:
            # The call that recorded it may have died before its key was destroyed.
            self._shred()
        return answer

    def save(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        with self.database.reading() as connection:
            row = connection.execute(_PERSON, _these(collection, person)).one_or_none()
        key = self.keys.create() if row is None else self._key_of(row)
        head, revision = None, 0
        try:
            with self.database.writing() as connection:
                earlier = self._enter(connection, request, collection, person)
                if earlier is None:
                    revision = self._write(connection, listed, key, new=row is None)
                    self._requests.record(connection, request, answer, key)
                    head = self._tell(connection, event)
        except Conflict:
            self._discard(key, new=row is None)
            raise
        if earlier is not None:
            self._discard(key, new=row is None)
            return earlier
        self._told(head)
        with suppress(StoreError):  # what is stored is stored; the next read notes the revision
            self.keys.advance(key.ref, revision)
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
        head = None
        with self.database.writing() as connection:
            earlier = self._enter(connection, request, collection, person)
            if earlier is None:
                self._remove(connection, listed, collection, person)
                self._requests.record(connection, request, answer, None)
                head = self._tell(connection, event)
        self._told(head)
        self._shred()
        self.database.scrub()
        return answer if earlier is None else earlier

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

    def _write(self, connection: Connection, listed: tuple[Template, ...], key: DataKey, *, new: bool) -> int:
        """Store `listed`, the templates of one person; returns the person's new revision."""
        collection, person = listed[0].collection, listed[0].person
        owner = _these(collection, person)
        row = connection.execute(_PERSON_LOCKED, owner).one_or_none()
        if new != (row is None) or (row is not None and row.key_ref != key.ref):
            raise version_conflict()
        stored = {} if row is None else open_state(key.cipher, collection, person, row.revision, row.state)
        require_successors(stored, listed)
        versions = {**stored, **{one.modality: (one.template_id, one.version) for one in listed}}
        revision = 1 if row is None else row.revision + 1
        state = seal_state(key.cipher, collection, person, revision, versions)
        if row is None:
            mine = {"collection": collection, "person": person, "key_ref": key.ref, "created_at": self._clock()}
            connection.execute(insert(people).values(**mine, revision=revision, state=state))
        else:
            connection.execute(update(people).where(_THIS).values(revision=revision, state=state), owner)
        for template in listed:
            _write_template(connection, template, key)
        return revision

    def _remove(self, connection: Connection, listed: tuple[Template, ...], collection: str, person: str) -> None:
        owner = _these(collection, person)
        row = connection.execute(_PERSON_LOCKED, owner).one_or_none()
        if row is None:
            raise version_conflict()
        key = self._key_of(row)
        require_unchanged(open_state(key.cipher, collection, person, row.revision, row.state), listed)
        held = templates.c
        connection.execute(delete(templates).where(held.collection == collection, held.person == person))
        connection.execute(delete(people).where(_THIS), owner)
        self._requests.forget_person(connection, row.key_ref)
        connection.execute(insert(shredding).values(key_ref=row.key_ref))

    def _key_of(self, row: Row[Any]) -> DataKey:
        key = self.keys.get(row.key_ref)
        if key is None:
            raise corrupt("the key of a stored person is gone: the data was put back from before an erasure")
        if key.revision > row.revision and (self.keys.fresh(row.key_ref) or key).revision > row.revision:
            # Either the rows were put back, or they have been changed since they were read: the caller reads again.
            raise version_conflict()
        return key

    def _note(self, key: DataKey, revision: int) -> None:
        """Let the key store know of a revision that a crash kept from it."""
        if revision > key.revision and (fresh := self.keys.fresh(key.ref)) is not None and revision > fresh.revision:
            with suppress(StoreError):
                self.keys.advance(key.ref, revision)

    def _discard(self, key: DataKey, *, new: bool) -> None:
        """Destroy a key made for a person whom another call enrolled first; left alone it would seal nothing."""
        if new:
            with suppress(StoreError):
                self.keys.destroy([key.ref])

    def _shred(self) -> None:
        """Destroy the keys of erased people; what a call before this one could not destroy, too."""
        with self.database.reading() as connection:
            refs = connection.execute(select(shredding.c.key_ref)).scalars().all()
        if not refs:
            return
        if not self.keys.destroy(refs):
            raise StoreUnavailable("a reader keeps the key store's log from being emptied", fix="repeat the call")
        with self.database.writing() as connection:
            connection.execute(delete(shredding).where(shredding.c.key_ref.in_(refs)))

    def _tell(self, connection: Connection, event: AuditEvent | None) -> Head | None:
        return None if event is None or self._audit is None else self._audit.append(connection, event)

    def _told(self, head: Head | None) -> None:
        if head is not None and self._audit is not None:
            self._audit.confirm(head)


def _these(collection: str, person: str) -> dict[str, str]:
    return {"in_collection": collection, "of_person": person}


def _write_template(connection: Connection, template: Template, key: DataKey) -> None:
    where = {"collection": template.collection, "person": template.person, "modality": template.modality.value}
    values = {
        "template_id": template.template_id,
        "version": template.version,
        "model_digest": template.model_digest,
        "payload": seal_template(key.cipher, template),
    }
    if template.version == 1:
        connection.execute(insert(templates).values(**where, **values))
    else:
        rows = and_(*(templates.c[name] == value for name, value in where.items()))
        connection.execute(update(templates).where(rows).values(**values))
