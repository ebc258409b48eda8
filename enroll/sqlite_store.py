"""Templates in one SQLite file, for a single server on its own disk.

Durability: write-ahead log with synchronous=FULL, so that an answered call survives power loss. Isolation: every
mutation is one BEGIN IMMEDIATE transaction. Erasure: secure_delete overwrites freed pages with zeros, and the log,
which still holds the erased pages, is emptied right after.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from encode.errors import StoreCorrupt, StoreUnavailable
from encode.sample import Modality
from enroll import schema
from enroll.store import (
    REQUEST_RETENTION,
    PersonSummary,
    Request,
    StoredRequest,
    one_person,
    require_successors,
    require_unchanged,
)
from enroll.template import Template

_BUSY_MILLISECONDS = 5_000
_CONNECTIONS = 16


class SqliteStore:
    """A :class:`~enroll.store.TemplateStore` in the file `path`, created (readable by its owner only) if missing.

    Parameters
    ----------
    path : the database file; its folder must exist and be writable, for the log beside it.
    clock : tells the time in UTC.

    Raises
    ------
    StoreUnavailable : the file cannot be opened or written, is no database, or was written by a newer release.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = Path(path)
        self._clock = clock
        self._create_file()
        self._engine = _engine(self._path)
        self._writing = self._engine.execution_options(countersign_begin="IMMEDIATE")
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        table = schema.templates
        rows = select(table).where(table.c.collection == collection, table.c.person == person).order_by("modality")
        with self._transaction(self._engine) as connection:
            found = connection.execute(rows).all()
        return tuple(_decode(row.payload, (collection, person, row.modality, row.version)) for row in found)

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        table = schema.templates
        page = (
            select(table.c.person)
            .where(table.c.collection == collection, table.c.person > after)
            .distinct()
            .order_by(table.c.person)
            .limit(limit)
        )
        rows = (
            select(table.c.person, table.c.modality)
            .where(table.c.collection == collection, table.c.person.in_(page))
            .order_by(table.c.person, table.c.modality)
        )
        people: dict[str, list[Modality]] = {}
        with self._transaction(self._engine) as connection:
            for person, modality in connection.execute(rows):
                people.setdefault(person, []).append(Modality(modality))
        return [PersonSummary(person, tuple(modalities)) for person, modalities in people.items()]

    def recorded(self, request: Request) -> bytes | None:
        with self._transaction(self._engine) as connection:
            return self._recorded(connection, request)

    def save(self, templates: Iterable[Template], *, answer: bytes, request: Request | None) -> bytes:
        listed, collection, person = one_person(templates)
        with self._transaction(self._writing) as connection:
            self._forget_old_requests(connection)
            if (earlier := self._recorded(connection, request)) is not None:
                return earlier
            require_successors(_versions(connection, collection, person), listed)
            for template in listed:
                _write(connection, template)
            self._record(connection, request, answer, person)
        return answer

    def erase(self, templates: Iterable[Template], *, answer: bytes, request: Request | None) -> bytes:
        listed, collection, person = one_person(templates)
        with self._transaction(self._writing) as connection:
            self._forget_old_requests(connection)
            if (earlier := self._recorded(connection, request)) is not None:
                return earlier
            require_unchanged(_versions(connection, collection, person), listed)
            held, seen = schema.templates.c, schema.requests.c
            connection.execute(delete(schema.templates).where(held.collection == collection, held.person == person))
            connection.execute(
                update(schema.requests)
                .where(seen.collection == collection, seen.person == person)
                .values(body_digest=b"", answer=b"", person=None)
            )
            self._record(connection, request, answer, None)
        self._empty_log()
        return answer

    def close(self) -> None:
        self._engine.dispose()

    def _create_file(self) -> None:
        """Create the file with mode 0600 before SQLite would with the umask's; its log inherits the mode."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise _unavailable(error.strerror or type(error).__name__) from error

    def _prepare(self) -> None:
        """Make the tables, check their version, and prove that the file can be written."""
        with self._transaction(self._writing) as connection:
            schema.metadata.create_all(connection)
            info = schema.store_info
            found = connection.execute(select(info.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(insert(info).values(id=1, version=schema.SCHEMA_VERSION))
            elif found != schema.SCHEMA_VERSION:
                raise StoreUnavailable(
                    f"the database has schema version {found}, this release reads {schema.SCHEMA_VERSION}",
                    fix="use the release that wrote the database",
                )
            else:
                connection.execute(update(info).values(version=found))

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        """One transaction; the only place where the database's own errors become ours."""
        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DatabaseError) else None
            raise _unavailable(str(cause) if isinstance(cause, sqlite3.Error) else type(error).__name__) from error

    def _recorded(self, connection: Connection, request: Request | None) -> bytes | None:
        if request is None:
            return None
        table = schema.requests
        row = connection.execute(
            select(table).where(
                table.c.collection == request.collection,
                table.c.request_id == request.request_id,
                table.c.at >= self._clock() - REQUEST_RETENTION,
            )
        ).one_or_none()
        return None if row is None else StoredRequest(row.method, row.body_digest, row.answer).replay(request)

    def _record(self, connection: Connection, request: Request | None, answer: bytes, person: str | None) -> None:
        if request is not None:
            connection.execute(
                insert(schema.requests).values(
                    collection=request.collection,
                    request_id=request.request_id,
                    method=request.method,
                    body_digest=request.body_digest,
                    answer=answer,
                    person=person,
                    at=self._clock(),
                )
            )

    def _forget_old_requests(self, connection: Connection) -> None:
        table = schema.requests
        connection.execute(delete(table).where(table.c.at < self._clock() - REQUEST_RETENTION))

    def _empty_log(self) -> None:
        # A reader in the middle of a transaction can keep the log from being emptied; the next checkpoint does it then.
        with suppress(SQLAlchemyError), self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        # Statements' parameters hold people's ids and templates: they stay out of every error message.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own BEGIN comes too late for reads and cannot be IMMEDIATE: it is switched off and done below.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('countersign_begin', '')}")

    return engine


def _unavailable(why: str) -> StoreUnavailable:
    # Without the path: this text may reach a caller of the service.
    return StoreUnavailable(
        f"the database cannot be used: {why}",
        fix="check that the file and its folder exist, are writable and have room",
    )


def _versions(connection: Connection, collection: str, person: str) -> dict[Modality, tuple[str, int]]:
    table = schema.templates
    rows = connection.execute(
        select(table.c.modality, table.c.template_id, table.c.version).where(
            table.c.collection == collection, table.c.person == person
        )
    )
    return {Modality(modality): (template_id, version) for modality, template_id, version in rows}


def _write(connection: Connection, template: Template) -> None:
    table = schema.templates
    values = {"template_id": template.template_id, "version": template.version, "payload": template.to_bytes()}
    key = {"collection": template.collection, "person": template.person, "modality": template.modality.value}
    if template.version == 1:
        connection.execute(insert(table).values(**key, **values))
    else:
        connection.execute(update(table).where(*(table.c[name] == key[name] for name in key)).values(**values))


def _decode(payload: bytes, key: tuple[str, str, str, int]) -> Template:
    template = Template.from_bytes(payload)
    if key != (template.collection, template.person, template.modality.value, template.version):
        # Whoever can write the file could otherwise lend one person's template to another by moving rows.
        raise StoreCorrupt("a stored template lies under another key than it was made for", fix="restore a backup")
    return template
