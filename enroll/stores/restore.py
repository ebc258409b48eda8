"""Putting a backup of an SQLite database in its place.

The backup must belong to the key store that is there: with another one nothing in it would open. The key store stays as
it is, so that whoever was erased after the backup stays erased (see `enroll.stores.reconcile`).

A database that SQLite can read is overwritten in one transaction. One that it cannot is kept beside, with ``.damaged``
at the end of its name.
"""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from encode.errors import StoreUnavailable
from enroll.keys.ring import key_missing
from enroll.keys.store import expect_schema
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, open_database
from enroll.stores.sqlite import PRIMARY_CODE, SqliteDatabase
from enroll.succession import take_after

_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PATIENCE = 1.0
"""Seconds that a command which is about to end may take."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def restore_file(place: StorePlace, backup: Path) -> None:
    """Make the database at `place` what `backup` holds; nothing changes unless the backup can be used.

    Raises
    ------
    StoreUnavailable : the backup is no database of this or an earlier release, or the database cannot be written, or
        somebody has it open: what a running service answered since would be gone.
    StoreKeyMissing : it belongs to another key store.
    """
    revision = require_usable(place, backup)
    # An operator says that data of an earlier schema is in its place: nobody else may (`schema_version`).
    keys = open_database(place.key_store, create=False)
    try:
        expect_schema(keys, schema_version.number(revision))
    finally:
        keys.close()
    _require_nobody_else(Path(place.database))
    target = SqliteDatabase(place.database, sound=False)
    try:
        try:
            with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(target.path)) as connection:
                source.backup(connection)
        except sqlite3.Error as error:
            if (error.sqlite_errorcode & PRIMARY_CODE) not in _UNREADABLE:
                raise StoreUnavailable(
                    f"the backup cannot be put in place: {error}", fix="stop the service first"
                ) from error
            _replace(target.path, backup)
        target.scrub()
    finally:
        target.close()


def _require_nobody_else(database: Path) -> None:
    """Raise StoreUnavailable if a connection to the database is open: in WAL mode each shares a lock while it is."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=_PATIENCE, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            # One that cannot be read is replaced, and tells of nobody.
            if (error.sqlite_errorcode & PRIMARY_CODE) == sqlite3.SQLITE_BUSY:
                raise StoreUnavailable(
                    "the database is in use", field="database", fix="stop the service first"
                ) from error


def _replace(damaged: Path, backup: Path) -> None:
    """Put a copy of `backup` where `damaged` is; a process killed here leaves the one or the other, never neither."""
    whole = damaged.with_name(f"{damaged.name}.restored")
    kept = damaged.with_name(f"{damaged.name}.damaged")
    try:
        for old in (whole, kept):
            old.unlink(missing_ok=True)
        with backup.open("rb") as source, open(os.open(whole, _NEW, 0o600), "wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        take_after(damaged, whole)
        with suppress(OSError):  # a file system without second names keeps nothing
            os.link(damaged, kept)
        # Of the log of the other file nothing may reach this one.
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{damaged}{suffix}").replace(f"{kept}{suffix}")
        whole.replace(damaged)
    except OSError as error:
        raise StoreUnavailable(
            f"the backup cannot be put in place: {error.strerror}", fix="check that the folder is writable and has room"
        ) from error


def digest_of(backup: Path) -> str:
    """The SHA-256 of a file in hex, by which the audit log names a backup."""
    with backup.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_usable(place: StorePlace, backup: Path) -> str:
    """Raise as :func:`restore_file` unless `backup` could be put in place; nothing is written. Returns its revision."""
    try:
        # Immutable: to look into a database is to write beside it, and a backup may lie where nobody may write.
        with closing(sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as source:
            sound = source.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            revision: str = source.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            belongs_to = source.execute("SELECT store_id FROM store_info").fetchone()[0]
    except (sqlite3.Error, TypeError) as error:
        raise StoreUnavailable(
            "the backup is no database of sealed templates",
            field="file",
            fix="name a file of `countersign db backup`",
        ) from error
    if not sound:
        raise StoreUnavailable("the backup is damaged", field="file", fix="use another one")
    schema_version.require_known(revision)
    keys = open_database(place.key_store, create=False)
    try:
        with keys.reading() as connection:
            here = connection.exec_driver_sql("SELECT store_id FROM key_store_info").scalar_one_or_none()
    finally:
        keys.close()
    if here != belongs_to:
        raise key_missing("the backup belongs to another key store than the one that is here")
    return revision
