"""Bringing a database to this release's schema.

    none → 0001 → 0002 → 0003 → 0004 → 0005 → 0006        one transaction for all that are missing

An SQLite file is upgraded when the service opens it. A PostgreSQL database is upgraded by `countersign db upgrade`
alone, because other services may still run on it.

An upgrade seals what earlier releases left open. Whoever can write the data alone must not be able to have their own
rows sealed by giving them an earlier form: the key store knows the latest schema that it has been used with.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select, text

from encode.errors import StoreCorrupt, StoreUnavailable
from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.schema import store_info

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = REVISIONS[-1]


def current(database: Database) -> str | None:
    """The revision of a database, None for one without tables. Raises StoreUnavailable."""
    with database.reading() as connection:
        return _revision(connection)


def store_id(database: Database) -> str | None:
    """The id of the key store that a database's data belongs to, None for data that was never sealed."""
    revision = current(database)
    if revision is None or revision == REVISIONS[0]:
        return None
    with database.reading() as connection:
        return connection.execute(select(store_info.c.store_id)).scalar_one_or_none()


def require_known(revision: str | None) -> None:
    """Raise StoreUnavailable for a revision that only a newer release knows."""
    if revision is not None and revision not in REVISIONS:
        raise StoreUnavailable(
            f"the database has schema revision {revision}, this release knows {HEAD} and earlier",
            fix="use the release that wrote the database",
        )


def number(revision: str | None) -> int:
    """The place of a known revision in :data:`REVISIONS`, from 1; 0 for a database without tables."""
    return 0 if revision is None else REVISIONS.index(revision) + 1


def require_not_put_back(database: Database, keys: KeyStore) -> None:
    """Raise StoreCorrupt for data of an earlier schema than its key store has been used with."""
    met = keys.schema_met
    # Read after it: another process may be upgrading, and tells the key store last.
    revision = current(database)
    require_known(revision)
    if number(revision) < met:
        raise StoreCorrupt(
            f"the database has {'no tables' if revision is None else f'schema revision {revision}'}, and its key "
            f"store has been used with {REVISIONS[min(met, len(REVISIONS)) - 1]}",
            fix="check where the database is, or restore a backup with `countersign db restore`; to go on with what "
            "is there, which is then sealed, run `countersign db upgrade --put-back`",
        )


def require_head(database: Database) -> None:
    """Raise StoreUnavailable unless the database has exactly this release's schema."""
    revision = current(database)
    require_known(revision)
    if revision != HEAD:
        raise StoreUnavailable(
            f"the database has {'no tables' if revision is None else f'schema revision {revision}'}, "
            f"this release needs {HEAD}",
            fix="run `countersign db upgrade`",
        )


def upgrade(database: Database, keys: KeyStore) -> tuple[str | None, str]:
    """Run the revisions that are missing; returns the revision before and after.

    Raises
    ------
    StoreUnavailable : it was written by a newer release, or cannot be written. StoreCorrupt : a template to be sealed
        does not decode; then nothing has changed.
    """
    with database.writing() as connection:
        database.lock(connection, b"upgrades")
        before = _revision(connection)
        require_known(before)
        if before != HEAD:
            _run(connection, before, keys)
    keys.meet_schema(number(HEAD))
    if before == REVISIONS[0]:
        # What was stored in the clear is overwritten by now, and must not stay in the log.
        database.scrub()
    return before, HEAD


def _revision(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found
    if "store_info" not in tables:
        return None
    # Written before there were revisions.
    version = connection.execute(text("SELECT version FROM store_info")).scalar_one_or_none()
    return REVISIONS[0] if version == 1 else f"of store version {version}"


def _run(connection: Connection, before: str | None, keys: KeyStore) -> None:
    # Here, because it takes a moment to import and most starts have nothing to upgrade.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    folder = Path(__file__).parent / "migrations"
    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])

    def steps(_heads: Any, _context: MigrationContext) -> Any:
        # What Alembic's own command calls; None stands for a database without tables.
        return script._upgrade_revs(HEAD, before)  # type: ignore[arg-type]

    context = MigrationContext.configure(connection, opts={"fn": steps, "script": script, "key_store": keys})
    with Operations.context(context):
        if before is not None:
            context.stamp(script, before)
        context.run_migrations()
