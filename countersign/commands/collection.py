"""`countersign collection`: what is decided for one collection: adaptation, history, kept samples."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import AsJson
from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, operator, store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from enroll.stores.collection import CollectionSettings

app = typer.Typer(no_args_is_help=True, help="The settings of one collection: adaptation, history, kept samples.")

Name = Annotated[str, typer.Argument(help="The collection.")]


@app.command()
def show(
    name: Name,
    as_json: AsJson = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Print the settings in force, the defaults where nothing was set, and how many samples are kept.

    Exit codes: 0 done, 3 name, 7 database or keys, 8 setting.
    """
    from verify.names import require_name

    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        collection = require_name(name, "name")
        settings, kept = store.settings_of(collection), store.samples_kept(collection)
    told = _told(settings) | {"samples": kept}
    if as_json:
        typer.echo(json.dumps({"collection": collection, **told}, indent=2))
        return
    for key, value in told.items():
        typer.echo(f"{key:<18} {_word(value)}")


@app.command("set")
def set_(
    name: Name,
    adapt: Annotated[
        bool | None, typer.Option("--adapt/--no-adapt", help="Let accepted probes become references.")
    ] = None,
    update_target_far: Annotated[
        float | None, typer.Option(metavar="FAR", help="Target FAR that a probe must meet to become one.")
    ] = None,
    keep_samples: Annotated[
        bool | None,
        typer.Option("--keep-samples/--no-keep-samples", help="Store the samples of enrolments from now on, sealed."),
    ] = None,
    versions_kept: Annotated[
        int | None, typer.Option(help="Earlier versions of a template to keep for a rollback.")
    ] = None,
    quarantine_hours: Annotated[
        float | None, typer.Option(help="Hours before an accepted probe counts as a reference.")
    ] = None,
    max_drift: Annotated[float | None, typer.Option(help="How far a template may move from its anchors.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with the defaults, not with what is set.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete the samples that --no-keep-samples deletes.")] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Change settings; what no flag names stays as it is. Running services follow within two seconds.

    To adapt, the bundles that the service has by its settings are looked into: one of their policies must have a target
    FAR to update by.

    Exit codes: 0 done, 2 samples would be deleted and --yes is missing, 3 name, 5 no policy has that target FAR, 6
    bundle, 7 database or keys, 8 a value is out of its range, or a setting.
    """
    from dataclasses import replace

    from enroll.audit.event import Action, AuditEvent
    from enroll.stores.collection import CollectionSettings
    from verify.names import require_name
    from verify.settings import service_settings
    from verify.update_rule import require_update_rows, served_policies

    given = {
        "adapt": adapt,
        "update_target_far": update_target_far,
        "keep_samples": keep_samples,
        "versions_kept": versions_kept,
        "quarantine_hours": quarantine_hours,
        "max_drift": max_drift,
    }
    changed = {key: value for key, value in given.items() if value is not None}
    if not changed and not reset:
        raise typer.BadParameter("nothing is to be set: see --help for the flags")
    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        collection = require_name(name, "name")
        before = CollectionSettings() if reset else store.settings_of(collection)
        # What the flags give has the type that they declare; its range is the settings' own to check.
        settings = replace(before, **changed)  # type: ignore[arg-type]
        if settings.adapt and {"adapt", "update_target_far"} & changed.keys():
            require_update_rows(served_policies(service_settings(config)), collection, settings)
        dropping = not settings.keep_samples and (reset or keep_samples is False)
        going = store.samples_kept(collection) if dropping else 0
        if going and not yes:
            raise typer.BadParameter(f"this deletes {going} kept samples: repeat with --yes")
        event = AuditEvent(
            Action.CONFIGURE, origin=operator(), collection=collection, subject=settings.to_json().decode()
        )
        # In this order: from here on none is kept any more, so that none is left when the others are gone.
        store.configure(collection, settings, event)
        if dropping:
            store.drop_samples(collection)
    if going:
        typer.echo(f"deleted {going} kept samples; backups hold them until they are replaced", err=True)
    for key, value in _told(settings).items():
        typer.echo(f"{key:<18} {_word(value)}")


def _told(settings: "CollectionSettings") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(settings)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "the policy's" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
