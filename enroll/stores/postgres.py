"""One PostgreSQL database, for any number of services at a time.

Durability: synchronous_commit, whatever the server's default. Isolation: READ COMMITTED, and advisory locks on the
person and on the request that a transaction is about, so that two of them about the same never overlap. Erasure: rows
are gone at once; their old versions stay in the table's file until a vacuum and in the write-ahead log until it is
recycled (see docs/decisions/0014-erasure-reaches-backups.md).
"""

import struct
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError

from encode.errors import ConfigError, StoreUnavailable, VersionConflict
from enroll.stores.database import Database
from enroll.stores.store import version_conflict

SCHEMES = ("postgresql", "postgres")
_CONNECTIONS = 16
_LOCK_SECONDS = 5
_GIVING_UP = {
    "connect_timeout": 10,
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
"""Seconds (`tcp_user_timeout`: ms): a server whose power went says no goodbye, and must not hold calls for good."""
_NAME = struct.Struct(">q")

_IN_BETWEEN = {"40001", "40P01", "23505"}
"""Serialization failure, deadlock, unique violation: another transaction came first."""

_DISK_FULL = "53100"
_STATES = {
    _DISK_FULL: "its disk is full",
    "53200": "it is out of memory",
    "53300": "it takes no more connections",
    "55P03": "a lock was not to be had in time",
    "25006": "it is read-only",
    "42501": "its user may not do this",
    "42P01": "a table is missing",
    "57P01": "it is shutting down",
    "57P02": "it is restarting",
    "57P03": "it is starting up",
}
_REFUSALS = {
    "onnection refused": "nothing answers at its address",
    "authentication failed": "the user or the password is refused",
    "no password supplied": "it asks for a password",
    "does not exist": "there is no such database or user",
    "failed to resolve host": "its host is unknown",
    "could not translate host": "its host is unknown",
    "timeout": "it does not answer in time",
}
"""Part of what libpq says → our words: its own name hosts and users, and may reach a caller."""


class PostgresDatabase(Database):
    """The database at `url`, ``postgresql://user:password@host:port/name``; what is left out libpq's variables say.

    Nothing is connected until it is used.

    Raises
    ------
    ConfigError : `url` is no address of a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        engine = create_engine(
            _address(url),
            pool_size=_CONNECTIONS,
            max_overflow=0,
            # A connection that died while it lay in the pool is replaced, not handed out.
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={**_GIVING_UP, "application_name": "countersign"},
        )
        event.listen(engine, "connect", _configure)
        reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        writer = engine.execution_options(isolation_level="READ COMMITTED")
        long_reader = engine.execution_options(isolation_level="REPEATABLE READ")
        super().__init__(postgres_name(url), engine, reader=reader, writer=writer, long_reader=long_reader)

    def lock(self, connection: Connection, *names: bytes) -> None:
        for name in names:
            connection.execute(select(func.pg_advisory_xact_lock(_NAME.unpack(name)[0])))

    def scrub(self) -> bool:
        # No command of PostgreSQL overwrites old versions of rows; `countersign keys rotate` ends what they are worth.
        return True

    def explain(self, error: SQLAlchemyError) -> StoreUnavailable | VersionConflict:
        cause = error.orig if isinstance(error, DatabaseError) else None
        state = getattr(cause, "sqlstate", None)
        if state in _IN_BETWEEN:
            return version_conflict()
        if state == _DISK_FULL:
            return StoreUnavailable(
                f"the database cannot be written: {_STATES[state]}",
                fix="free disk space on PostgreSQL's server: the service goes on by itself once there is some",
            )
        if state is not None:
            return _unavailable(_STATES.get(state, f"SQLSTATE {state}"))
        if cause is None:
            return _unavailable(type(error).__name__)
        text = str(cause)
        return _unavailable(next((ours for theirs, ours in _REFUSALS.items() if theirs in text), "no connection"))


def postgres_name(url: str) -> str:
    """What an address may be called in a message: without password and options, of which one may be a password.

    Raises ConfigError.
    """
    address = _address(url)
    return URL.create(
        SCHEMES[0], username=address.username, host=address.host, port=address.port, database=address.database
    ).render_as_string()


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        address = None
    if address is None or address.drivername not in SCHEMES:
        raise ConfigError(
            "not the address of a PostgreSQL database", fix="write postgresql://user@host:5432/name"
        ) from None
    return address.set(drivername="postgresql+psycopg")


def _configure(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(f"SET synchronous_commit = on; SET lock_timeout = '{_LOCK_SECONDS}s'; SET timezone = 'UTC'")
    connection.autocommit = False


def _unavailable(why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the database cannot be used: {why}", fix="check that PostgreSQL runs, has room, and lets this user in"
    )
