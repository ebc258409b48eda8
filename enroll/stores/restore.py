"""Putting a backup of an SQLite database in its place.

The backup must belong to the key store that is there: with another one nothing in it would open. The key store stays as
it is, so that whoever was erased after the backup stays erased (see `enroll.stores.reconcile`).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from encode.errors import StoreUnavailable
from enroll.keys.ring import key_missing
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, open_database
from enroll.stores.sqlite import SqliteDatabase


def restore_file(place: StorePlace, backup: Path) -> None:
    """Make the database at `place` what `backup` holds; nothing changes unless the backup can be used.

    Raises
    ------
    StoreUnavailable : the backup is no database of this or an earlier release, or the database cannot be written.
    StoreKeyMissing : it belongs to another key store.
    """
    _require_usable(place, backup)
    target = SqliteDatabase(place.database)
    try:
        try:
            with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(target.path)) as connection:
                source.backup(connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"the backup cannot be put in place: {error}", fix="stop the service first"
            ) from error
        target.scrub()
    finally:
        target.close()


def _require_usable(place: StorePlace, backup: Path) -> None:
    # Copied first: to look into a database is to write beside it, and a backup may lie where nobody may write.
    with closing(sqlite3.connect(":memory:")) as copy:
        try:
            with closing(sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as source:
                source.backup(copy)
            sound = copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            revision = copy.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            belongs_to = copy.execute("SELECT store_id FROM store_info").fetchone()[0]
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
