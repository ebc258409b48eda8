"""One SQLite file, for a single machine on its own disk.

Durability: write-ahead log with synchronous=FULL, so that an answered call survives power loss. Isolation: every write
is one BEGIN IMMEDIATE transaction, and one of this process's threads writes at a time. Erasure: secure_delete
overwrites freed pages with zeros, and the log, which still holds the erased pages, is emptied by `scrub`.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError

from encode.errors import StoreCorrupt, StoreUnavailable
from enroll.stores.database import Database
from enroll.stores.sqlite_log import require_sound_log

_BUSY_MILLISECONDS = 5_000
_CONNECTIONS = 16
_IDLE = 4
"""Connections kept for the next reads; the rest of the pool stays free for whoever reads for long."""
_SCRUB_SECONDS = _BUSY_MILLISECONDS / 1e3
_AGAIN_SECONDS = 0.01
_BEGIN = "countersign_begin"
PRIMARY_CODE = 0xFF
"""What of a result code of SQLite says the kind of error."""


class SqliteDatabase(Database):
    """The file `path`, created (readable by its owner only) if missing and `create` is set.

    The folder must exist and be writable, for the log beside the file. `sound` False is for what will be overwritten.

    Raises
    ------
    StoreUnavailable : the file cannot be opened or written, or is no database.
    StoreCorrupt : its log is damaged.
    """

    one_writer = True

    def __init__(self, path: str | Path, *, create: bool = True, sound: bool = True) -> None:
        self.path = Path(path)
        _open_file(self.path, create=create)
        if sound:
            require_sound_log(self.path)
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            pool_size=_CONNECTIONS,
            max_overflow=0,
            # Statements' parameters hold people's ids and templates: they stay out of every error message.
            hide_parameters=True,
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        long_reader = engine.execution_options(**{_BEGIN: "BEGIN"})
        super().__init__(str(self.path), engine, reader=engine, writer=engine, long_reader=long_reader)
        self._one_writer = RLock()
        self._kept: Connection | None = None
        self._idle: list[Connection] = []

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        # Threads wait here, for as long as it takes. SQLite's own waiting, which is for other processes, sleeps between
        # its tries and gives up in the end: among many threads some would never have their turn.
        with self._one_writer, super().writing() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        # As with writers, the pool takes as long as the statement. Every read is at its end when its block is, so that
        # an idle connection holds no state of the file.
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._reader.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # Whoever writes has the connection of whoever wrote before, and begins and commits at the driver: the pool, and
        # SQLAlchemy's own transaction, each take longer than a small one does. One in which something went wrong goes.
        connection, self._kept = self._kept or self._reader.connect(), None
        try:
            _at_the_driver(connection, "BEGIN IMMEDIATE")
            yield connection
            _at_the_driver(connection, "COMMIT")
            self._kept = connection
        finally:
            if self._kept is not connection:
                # Rolls back what is not committed.
                connection.close()

    def close(self) -> None:
        with self._one_writer:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
            while self._idle:
                self._idle.pop().close()
            super().close()

    def lock(self, connection: Connection, *names: bytes) -> None:
        # BEGIN IMMEDIATE let nobody else in.
        pass

    def scrub(self) -> bool:
        # Readers in the middle of a statement are waited for, as long as the busy timeout says. For a checkpoint of
        # another process SQLite does not wait at all.
        until = time.monotonic() + _SCRUB_SECONDS
        while True:
            try:
                with self._one_writer, self._reader.connect() as connection:
                    busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            except SQLAlchemyError:
                return False
            if not busy:
                return _confirm_emptied(self.path)
            if time.monotonic() > until:
                return False
            time.sleep(_AGAIN_SECONDS)

    def explain(self, error: SQLAlchemyError) -> StoreUnavailable | StoreCorrupt:
        cause = error.orig if isinstance(error, DatabaseError) else None
        if not isinstance(cause, sqlite3.Error):
            return _unavailable(type(error).__name__)
        if not hasattr(cause, "sqlite_errorcode"):
            if not isinstance(cause, sqlite3.OperationalError):
                return _unavailable(type(cause).__name__)
            # Not SQLite's but the driver's, about a value that is no text; it quotes the value, and nobody else must.
            return StoreCorrupt(
                "the database is damaged: a stored text is none", fix="restore a backup with `countersign db restore`"
            )
        code = cause.sqlite_errorcode & PRIMARY_CODE
        if code == sqlite3.SQLITE_CORRUPT:
            return StoreCorrupt(
                f"the database is damaged: {cause}", fix="restore a backup with `countersign db restore`"
            )
        if code == sqlite3.SQLITE_NOTADB:
            return StoreUnavailable(
                "the file is no database",
                fix="name one that is; or, if it was damaged, restore a backup with `countersign db restore`",
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreUnavailable(
                "the database cannot be written: its disk is full",
                fix="free disk space: the service goes on by itself once there is some",
            )
        return _unavailable(str(cause))

    def copy_to(self, path: Path) -> None:
        """Write the database as it is now to a new file, readable by its owner only, while others go on using it.

        Raises
        ------
        StoreUnavailable : the copy cannot be written, or there is a file already.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreUnavailable(
                f"the copy cannot be written: {error.strerror}", fix="name a new file in a folder that is writable"
            ) from error
        try:
            with closing(sqlite3.connect(path)) as target, closing(sqlite3.connect(self.path)) as source:
                source.backup(target)
                # A single file that needs no log beside it.
                target.execute("PRAGMA journal_mode = DELETE").close()
            with path.open("rb") as copy:
                os.fsync(copy.fileno())
        except (sqlite3.Error, OSError) as error:
            path.unlink(missing_ok=True)
            raise _unavailable(str(error)) from error


def _open_file(path: Path, *, create: bool) -> None:
    """Create the file with mode 0600 before SQLite would with the umask's; its log inherits the mode."""
    try:
        os.close(os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600))
    except OSError as error:
        raise _unavailable(error.strerror or type(error).__name__) from error


def _confirm_emptied(path: Path) -> bool:
    """Wait until the disk has taken note that the log is empty: SQLite does not, and power that goes brings it back."""
    try:
        log = os.open(f"{path}-wal", os.O_RDONLY)
    except FileNotFoundError:  # whoever used the file last has removed it
        return True
    except OSError:
        return False
    try:
        os.fsync(log)
    except OSError:
        return False
    finally:
        os.close(log)
    return True


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


def _begin(connection: Connection) -> None:
    begin = connection.get_execution_options().get(_BEGIN)
    if begin:
        connection.exec_driver_sql(begin)


def _at_the_driver(connection: Connection, statement: str) -> None:
    """Execute a statement that has no values. Raises DBAPIError, as the connection would."""
    try:
        connection.connection.cursor().execute(statement).close()
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            statement, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def _unavailable(why: str) -> StoreUnavailable:
    # Without the path: this text may reach a caller of the service.
    return StoreUnavailable(
        f"the database cannot be used: {why}",
        fix="check that the file and its folder exist, are writable and have room",
    )
