"""`countersign keys`: the keys that wrap people's data keys: made, replaced, looked at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, operator, store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from enroll.stores.opening import StorePlace
    from enroll.stores.sql import SqlStore

app = typer.Typer(no_args_is_help=True, help="The keys that open the stored templates.")


@app.command()
def new(
    file: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Key file to put it first in. Default: print it."),
    ] = None,
) -> None:
    """Make a random key of 256 bits.

    Printed, it is for COUNTERSIGN_KEY. In a file it comes into force when a store is made, or with `countersign keys
    rotate`.

    Exit codes: 0 done, 8 the file cannot be written.
    """
    from enroll.keys.file import add_key, new_key, read_key_file

    with typed_exit():
        if file is None:
            typer.echo(new_key())
        else:
            add_key(file)
            typer.echo(f"key {read_key_file(file)[0].key_id} is the first of {file}")


@app.command()
def rotate(
    keep_old: Annotated[
        bool | None,
        typer.Option(
            "--keep-old/--drop-old",
            help="What becomes of keys in the key file that this store needs no more. "
            "Default: dropped from the file beside the database, kept in one that was named.",
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Wrap every data key anew with a new key, while services run; stopped, it goes on when run again.

    With a key file the new key is made here. With COUNTERSIGN_KEY or a plug-in, put the new key before the old one and
    restart the services first.

    Exit codes: 0 done, 7 database or keys, 8 setting or key file.
    """
    from functools import partial

    from countersign.progress import stage_progress
    from enroll.audit.event import Action, AuditEvent
    from enroll.keys import rotation

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        with opened(place) as store, stage_progress() as shown:
            key_id = rotation.begin(store.keys, place.source)
            store.recorder.tell(AuditEvent(Action.KEYS_ROTATE, origin=operator(), subject=key_id))
            count = rotation.rewrap(store.keys, key_id, told=partial(shown, "wrapping"))
            keep = place.default_key_file is None if keep_old is None else keep_old
            unneeded = rotation.unneeded(store.keys)
            if not keep:
                _drop(store, place, unneeded)
    typer.echo(f"key {key_id} is in force; {count} data keys wrapped anew")
    if unneeded and (keep or place.source.file is None):
        typer.echo(
            f"no more needed by this store: {', '.join(unneeded)}; destroy them, and old backups of keys with them"
        )


@app.command()
def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Drop them. Default: only tell which.")] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Drop older keys that wrap nothing any more from the key file; refused while one of them still wraps a data key.

    What only another store needs is dropped too: a file that two stores share is not for pruning.

    Exit codes: 0 done, 7 database or keys, 8 setting or key file, or a key is still in use.
    """
    from enroll.keys import rotation

    with typed_exit():
        place = store_place(config, database, key_database, key_file)
        with opened(place) as store:
            dropped = rotation.prunable(store.keys, place.source)
            if yes:
                _drop(store, place, dropped)
    if not dropped:
        typer.echo("no key is to be dropped")
    for key_id in dropped:
        typer.echo(f"dropped {key_id}; destroy its copies" if yes else f"would drop {key_id}; repeat with --yes")


@app.command()
def status(
    config: Config = None, database: Database = None, key_database: KeyDatabase = None, key_file: KeyFile = None
) -> None:
    """Print which keys are in use, which are at hand, and how many data keys each wraps.

    Exit codes: 0 every key in use is at hand, 7 database, or a key is missing, 8 setting.
    """
    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        in_use, in_force = store.keys.in_use(), store.keys.current_key_id()
        for key_id in sorted({*in_use, *store.keys.ring.key_ids}):
            marks = ", in force" if key_id == in_force else ""
            typer.echo(f"{key_id}  {in_use.get(key_id, 0)} data keys{marks}")


def _drop(store: "SqlStore", place: "StorePlace", key_ids: "Sequence[str]") -> None:
    """Record that keys leave the key file, if they are in one, then let them."""
    from enroll.audit.event import Action, AuditEvent
    from enroll.keys import rotation

    if place.source.file is None or not key_ids:
        return
    with store.recorder.writing() as change:
        change.tell(*(AuditEvent(Action.KEYS_PRUNE, origin=operator(), subject=key_id) for key_id in key_ids))
    rotation.retire(store.keys, place.source)
