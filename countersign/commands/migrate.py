"""`countersign migrate`: give people templates of a new model, from the samples that were kept."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, operator, store_place
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from enroll.migration import Migrated, Outcome

_COLUMNS = ("collection", "person", "modality", "reason")


def migrate(
    to: Annotated[Path, typer.Option(help="Folder of the bundle whose model the templates are to be of.")],
    source: Annotated[
        str | None, typer.Option("--from", help="Digest of the only model to migrate from. Default: every other.")
    ] = None,
    collection: Annotated[str | None, typer.Option(help="The only collection to migrate. Default: all.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="CSV file to write of who must be enrolled again. It names people."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop once so many are migrated. Default: when everybody is.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read every sample, write no template.")] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Embed the samples that were kept with a new model and write people's templates anew, while services run.

    Start every service with the new bundle first, the old one as --retiring. Stopped or killed, the same command goes
    on. People without samples keep the template they have.

    Exit codes: 0 everybody is migrated, or as many as --limit says, 3 --from is no digest, 6 bundle, 7 database or
    keys, 8 setting or report, 12 some must be enrolled again; everybody else is migrated.
    """
    from functools import partial

    from countersign.progress import stage_progress
    from enroll.migration import Migration, Outcome
    from verify.model import load_model

    with typed_exit():
        _require_digest(source)
        place = store_place(config, database, key_database, key_file)
        model = load_model(to)
        with opened(place) as store, _written(report) as write, stage_progress() as shown:
            work = Migration(store, model, source=source, collection=collection, dry=dry_run, origin=operator())
            counts, stopped = _follow(work.run(), work.count(), write, limit, partial(shown, "migrating"))
        verb = "would be migrated" if dry_run else "migrated"
        typer.echo(f"{counts[Outcome.MIGRATED]} {verb} to {model.model_digest}, {counts[Outcome.ALREADY]} already were")
        for outcome, count in counts.items():
            if outcome not in (Outcome.MIGRATED, Outcome.ALREADY):
                typer.echo(f"{count} {outcome.value}")
        if stopped:
            typer.echo("stopped at --limit; the same command goes on")
        if sum(count for outcome, count in counts.items() if outcome.must_reenroll):
            told = f"; they are in {report}" if report is not None else "; --report FILE.csv lists them"
            typer.echo(f"some must be enrolled again{told}", err=True)
            raise typer.Exit(ExitCode.REENROLL)


def _require_digest(source: str | None) -> None:
    from encode.errors import FieldInvalid

    if source is not None and (len(source) != 64 or set(source) - set("0123456789abcdef")):
        raise FieldInvalid(
            "a model's digest has 64 hex digits",
            field="from",
            fix="take it from the bundle's manifest.json, or from what GetPerson tells of a person",
        )


def _follow(
    migrated: "Iterable[Migrated]",
    total: int,
    write: "Callable[[Migrated], None]",
    limit: int | None,
    told: Callable[[int, int], None],
) -> "tuple[Counter[Outcome], bool]":
    """How many came to what, and whether `limit` stopped the work; `write` gets who must be enrolled again."""
    from enroll.migration import Outcome

    counts: Counter[Outcome] = Counter()
    tried = 0
    for one in migrated:
        counts[one.outcome] += 1
        if one.outcome not in (Outcome.ALREADY, Outcome.ANOTHER):
            tried += 1
            told(tried, max(tried, total))
        if one.outcome.must_reenroll:
            write(one)
        if counts[Outcome.MIGRATED] == limit:
            return counts, True
    return counts, False


@contextmanager
def _written(report: Path | None) -> "Iterator[Callable[[Migrated], None]]":
    """Yield what writes a row into the CSV file `report`, which its owner alone may read."""
    from encode.errors import ConfigError

    if report is None:
        yield lambda one: None
        return
    try:
        # Not for a moment readable by others, and not through a link that somebody has put there.
        descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o600)
        os.truncate(descriptor, 0)
    except OSError as error:
        raise ConfigError(f"{report} cannot be written: {error.strerror}", field="report") from error
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        yield lambda one: rows.writerow((one.collection, one.person, one.modality.value, one.outcome.value))
