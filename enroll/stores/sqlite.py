"""One SQLite file, for a single machine on its own disk.

Durability: write-ahead log with synchronous=FULL, so that an answered call survives power loss. Isolation: every write
is one BEGIN IMMEDIATE transaction. Erasure: secure_delete overwrites freed pages with zeros, and the log, which still
holds the erased pages, is emptied by `scrub`.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from encode.errors import StoreUnavailable
from enroll.stores.database import Database

_BUSY_MILLISECONDS = 5_000
_CONNECTIONS = 16
_BEGIN = "countersign_begin"


class SqliteDatabase(Database):
    """The file `path`, created (readable by its owner only) if missing and `create` is set.

    The folder must exist and be writable, for the log beside the file.

    Raises
    ------
    StoreUnavailable : the file cannot be opened or written, or is no database.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        _open_file(self.path, create=create)
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            pool_size=_CONNECTIONS,
            max_overflow=0,
            # Statements' parameters hold people's ids and templates: they stay out of every error message.
            hide_parameters=True,
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        writer = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        super().__init__(str(self.path), engine, engine, writer)

    def lock(self, connection: Connection, *names: bytes) -> None:
        # BEGIN IMMEDIATE let nobody else in.
        pass

    def scrub(self) -> bool:
        # Readers in the middle of a statement are waited for, as long as the busy timeout says.
        try:
            with self._reader.connect() as connection:
                busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        except SQLAlchemyError:
            return False
        return not busy

    def explain(self, error: SQLAlchemyError) -> StoreUnavailable:
        cause = error.orig if isinstance(error, DatabaseError) else None
        return _unavailable(str(cause) if isinstance(cause, sqlite3.Error) else type(error).__name__)

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


def _unavailable(why: str) -> StoreUnavailable:
    # Without the path: this text may reach a caller of the service.
    return StoreUnavailable(
        f"the database cannot be used: {why}",
        fix="check that the file and its folder exist, are writable and have room",
    )
