"""`countersign db`: the database itself: its schema, backups, and people moved from one store to another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, operator, store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from enroll.audit.event import AuditEvent
    from enroll.stores.opening import StorePlace

app = typer.Typer(no_args_is_help=True, help="The database: schema, backup, restore, export, import.")

NewFile = Annotated[Path, typer.Argument(dir_okay=False, help="The file to write; it must not be there yet.")]
OldFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file to read.")]


@app.command()
def upgrade(
    put_back: Annotated[
        bool,
        typer.Option(
            "--put-back", help="The data is on purpose of an earlier schema than its key store has met, or empty."
        ),
    ] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Bring the database to this release's schema; templates stored in the clear by earlier releases are sealed.

    Exit codes: 0 done, 7 database or keys, 8 setting.
    """
    from enroll.stores import schema_version
    from enroll.stores.opening import upgradable

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        with upgradable(place, put_back=put_back) as (data, keys):
            before, after = schema_version.upgrade(data, keys)
    typer.echo(f"schema {after}, as before" if before == after else f"schema {before or 'none'} → {after}")


@app.command()
def current(
    config: Config = None, database: Database = None, key_database: KeyDatabase = None, key_file: KeyFile = None
) -> None:
    """Print the schema's revision, and that of this release.

    Exit codes: 0 they are the same, 7 they are not or the database cannot be used, 8 setting.
    """
    from encode.errors import StoreUnavailable
    from enroll.stores import schema_version
    from enroll.stores.opening import open_database

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        data = open_database(place.database, create=False)
        try:
            revision = schema_version.current(data)
        finally:
            data.close()
        typer.echo(f"database {revision or 'none'}, release {schema_version.HEAD}")
        if revision != schema_version.HEAD:
            raise StoreUnavailable("the database has another schema", fix="run `countersign db upgrade`")


@app.command()
def backup(
    file: NewFile,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Copy the SQLite database to a file, while the service runs; without keys, so that erasure reaches the copy too.

    PostgreSQL is backed up with its own tools, the key database apart from the data, or with `countersign db export`.

    Exit codes: 0 done, 7 database, 8 setting.
    """
    from encode.errors import ConfigError
    from enroll.stores.sqlite import SqliteDatabase

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        if not place.embedded:
            raise ConfigError(
                "a PostgreSQL database is backed up with pg_dump",
                field="database",
                fix="or use `countersign db export`",
            )
        data = SqliteDatabase(place.database, create=False)
        try:
            data.copy_to(file)
        finally:
            data.close()
    typer.echo(f"wrote {file}")


@app.command()
def restore(
    file: OldFile,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Put a backup in the place of the SQLite database, then reconcile. Stop the service first.

    Exit codes: 0 done, 7 database or keys, 8 setting.
    """
    from encode.errors import ConfigError
    from enroll.audit.event import Action, AuditEvent
    from enroll.stores.restore import digest_of, restore_file

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        if not place.embedded:
            raise ConfigError(
                "a PostgreSQL database is restored with pg_restore",
                field="database",
                fix="then run `countersign db reconcile`",
            )
        digest = digest_of(file)
        restore_file(place, file)
        _reconcile(place, AuditEvent(Action.DB_RESTORE, origin=operator(), subject=digest))


@app.command()
def reconcile(
    config: Config = None, database: Database = None, key_database: KeyDatabase = None, key_file: KeyFile = None
) -> None:
    """After data was put back from a backup: remove who was erased since, and let the rest count as it is.

    Exit codes: 0 done, 7 database or keys, or rows that were changed, 8 setting.
    """
    with typed_exit():
        _reconcile(store_place(config, database, key_database, key_file))


@app.command("export")
def export_(
    file: NewFile,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Also the wrapped data keys, to move people to another store.")
    ] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Write everybody's sealed templates to a file with a manifest, while services run.

    Exit codes: 0 done, 7 database or keys, 8 setting.
    """
    from enroll.stores.transfer import export_people

    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        manifest = export_people(store.database, store.keys, file, with_keys=with_keys)
    typer.echo(f"wrote {manifest.people} people, {manifest.templates} templates, sha256 {manifest.sha256}")
    if with_keys:
        typer.echo("the file holds data keys: erasure does not reach it; delete it once it is imported", err=True)


@app.command("import")
def import_(
    file: OldFile,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Add the people of an export who are not there yet; people who are there are left as they are.

    Exit codes: 0 done, 3 the file is not a whole export, 7 database or keys, 8 setting.
    """
    from functools import partial

    from countersign.progress import stage_progress
    from enroll.stores.transfer import import_people

    with (
        typed_exit(),
        opened(store_place(config, database, key_database, key_file)) as store,
        stage_progress() as shown,
    ):
        result = import_people(
            store.database,
            store.keys,
            file,
            told=partial(shown, "importing"),
            recorder=store.recorder,
            origin=operator(),
        )
    typer.echo(
        f"{result.added} added, {result.present} already there, {result.erased} erased since, {result.corrupt} damaged"
    )


def _reconcile(place: "StorePlace", *before: "AuditEvent") -> None:
    """Record `before` and that it is done, then do it."""
    from encode.errors import StoreCorrupt
    from enroll.audit.event import Action, AuditEvent
    from enroll.stores.reconcile import reconcile as work

    with opened(place) as store:
        with store.recorder.writing() as change:
            change.tell(*before, AuditEvent(Action.DB_RECONCILE, origin=operator()))
        result = work(store.database, store.keys)
    typer.echo(
        f"{result.unchanged} as they were, {result.put_back} put back to an earlier state, "
        f"{result.erased} erased since and removed"
    )
    if result.corrupt:
        raise StoreCorrupt(f"the rows of {result.corrupt} people were changed", fix="restore another backup")
