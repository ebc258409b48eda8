"""Opening a template store: data, key store and keys, in the order in which they depend on each other.

data's schema  →  the key store it names  →  the keys that the key store needs  →  upgrade (SQLite)  →  store
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from encode.errors import ConfigError
from enroll.audit.chain import AuditKeys
from enroll.audit.log import AuditLog
from enroll.keys.file import create_key_file
from enroll.keys.providers import KeySource
from enroll.keys.ring import key_missing
from enroll.keys.schema import key_store_info
from enroll.keys.store import KeyStore
from enroll.stores import schema_version
from enroll.stores.database import Database
from enroll.stores.postgres import SCHEMES, PostgresDatabase, postgres_name
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase

AUDIT_SECRET = "audit log"  # noqa: S105 - what a secret is for
KEY_STORE_SUFFIX = ".keystore"
KEY_FILE_SUFFIX = ".key"


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where a store is.

    Attributes
    ----------
    database : an SQLite file, or ``postgresql://…``.
    key_database : likewise, for the key store; by default the file beside an SQLite database that is named like it
        with ``.keystore`` at the end. PostgreSQL has no default: a backup of the data must not hold the keys.
    keys : the key-encryption keys; by default, of an SQLite database, the file with ``.key`` at the end, made when the
        store is.
    """

    database: str
    key_database: str | None = None
    keys: KeySource = field(default_factory=KeySource)

    @property
    def embedded(self) -> bool:
        """Whether the data is in an SQLite file."""
        return not is_postgres(self.database)

    @property
    def key_store(self) -> str:
        """Where the key store is. Raises ConfigError if that must be said and is not."""
        if self.key_database is not None:
            return self.key_database
        if self.embedded:
            return self.database + KEY_STORE_SUFFIX
        raise ConfigError(
            "data in PostgreSQL needs a key store of its own",
            field="key_database",
            fix="name a second database, postgresql://…, in COUNTERSIGN_KEY_DATABASE",
        )

    @property
    def default_key_file(self) -> Path | None:
        """The key file that is used, and made, because no key was named."""
        return Path(self.database + KEY_FILE_SUFFIX) if self.embedded and not self.keys.given else None

    @property
    def source(self) -> KeySource:
        """Where the keys come from, the default included."""
        return KeySource(file=self.default_key_file) if self.default_key_file is not None else self.keys


def is_postgres(database: str) -> bool:
    """Whether a setting names a PostgreSQL database rather than a file."""
    return database.partition("://")[0].partition("+")[0] in SCHEMES and "://" in database


def database_name(database: str) -> str:
    """What a setting that names a database may be called in a message: without a password."""
    return postgres_name(database) if is_postgres(database) else database


def open_database(database: str, *, create: bool = True) -> Database:
    """The database that a setting names; an SQLite file is made if `create`. Raises StoreUnavailable, ConfigError."""
    return PostgresDatabase(database) if is_postgres(database) else SqliteDatabase(database, create=create)


def open_sql_store(
    place: StorePlace,
    *,
    audited: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SqlStore:
    """The store at `place`, ready to serve; an SQLite file is brought to this release's schema.

    Raises
    ------
    StoreUnavailable : a database cannot be used, or a PostgreSQL has another schema.
    StoreKeyMissing : the key store or a key that the data needs is not there.
    StoreCorrupt : the data is of an earlier schema than before.
    ConfigError : the keys cannot be read. AuditBroken : the audit log was tampered with.
    """
    database = open_database(place.database)
    try:
        if not place.embedded:
            schema_version.require_head(database)
        keys = open_key_store(place, database)
        try:
            if place.embedded and schema_version.current(database) != schema_version.HEAD:
                schema_version.upgrade(database, keys)
            # A process that was killed between the upgrade and its end has not said so.
            keys.meet_schema(schema_version.number(schema_version.HEAD))
            audit = AuditLog(AuditKeys.derive(keys.secret(AUDIT_SECRET)), clock=clock) if audited else None
            return SqlStore(database, keys, clock=clock, audit=audit)
        except BaseException:
            keys.close()
            raise
    except BaseException:
        database.close()
        raise


def open_key_store(place: StorePlace, database: Database, *, put_back: bool = False) -> KeyStore:
    """The key store that belongs to `database`, made if its data was never sealed.

    `put_back` says that data of an earlier schema than before is there on purpose.

    Raises
    ------
    StoreUnavailable, StoreKeyMissing, StoreCorrupt, ConfigError : see :func:`open_sql_store`.
    """
    schema_version.require_known(schema_version.current(database))
    expected = schema_version.store_id(database)
    if expected is not None and not is_postgres(place.key_store) and not Path(place.key_store).exists():
        raise key_missing(f"there is no key store {place.key_store}, and the data needs its own")
    key_database = open_database(place.key_store)
    try:
        made = place.default_key_file
        if made is not None and key_store_info.name not in key_database.tables():
            create_key_file(made)
        elif made is not None and not made.exists():
            raise key_missing(f"there is no key file {made}; the stored data needs key {_key_id(key_database)}")
        keys = KeyStore(key_database, place.source.ring(), expected=expected)
        if not put_back:
            schema_version.require_not_put_back(database, keys)
        return keys
    except BaseException:
        key_database.close()
        raise


@contextmanager
def upgradable(place: StorePlace, *, put_back: bool = False) -> Iterator[tuple[Database, KeyStore]]:
    """Data of any earlier schema and its key store, for an upgrade; closed afterwards. Raises as open_key_store."""
    database = open_database(place.database)
    try:
        keys = open_key_store(place, database, put_back=put_back)
        try:
            yield database, keys
        finally:
            keys.close()
    finally:
        database.close()


def _key_id(key_database: Database) -> str:
    with key_database.reading() as connection:
        return str(connection.execute(key_store_info.select()).one().current_key_id)
