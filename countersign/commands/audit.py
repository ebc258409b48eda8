"""`countersign audit`: the log of mutations and decisions, checked and exported, beside a running service."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, require_database, store_place
from countersign.exit_codes import exit_code_of, typed_exit

if TYPE_CHECKING:
    from enroll.audit.chain import AuditKeys
    from enroll.audit.check import Checked
    from enroll.stores.database import Database as OpenDatabase
    from enroll.stores.opening import StorePlace

app = typer.Typer(no_args_is_help=True, help="The audit log: check it, export it.")

After = Annotated[
    str | None,
    typer.Option(metavar="SEQUENCE:LINK", help="Begin behind this head of an earlier check. Default: at the start."),
]


@app.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEQUENCE:LINK",
            help="A head kept elsewhere, such as in the service's log, that must lie on the chain; may be repeated.",
        ),
    ] = None,
    after: After = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check an exported log: needs no database and no key."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Find any edit, gap, reordering or truncation, and print where the log ends.

    That the log and its head were put back together to an earlier state shows only with --head.

    Exit codes: 0 intact, 3 not a head or not a file of text, 7 the log is broken, or the database or keys cannot be
    used, 8 setting.
    """
    from encode.errors import AuditBroken
    from enroll.audit.chain import START, Head
    from enroll.audit.check import check_chain, check_stored
    from enroll.audit.reading import from_lines, stored_log

    with typed_exit(as_json=as_json):
        kept = [Head.parse(text, "head") for text in head or ()]
        begin = START if after is None else Head.parse(after, "after")
        if file is not None:
            with file.open(encoding="utf-8", errors="surrogateescape") as lines:
                checked = check_chain(from_lines(lines), after=begin, kept=kept)
        else:
            place = store_place(config, database, key_database, key_file)
            with _log_of(place) as (data, keys), data.reading() as connection:
                stored, rows = stored_log(connection, after=begin)
                checked = check_stored(rows, stored, keys, after=begin, kept=kept)
        _print(checked, as_json=as_json)
    if not checked.intact:
        broken = AuditBroken(
            f"the audit log is broken, shown in {len(checked.findings)} places",
            fix="keep the database as evidence, find out who could write it, and restore a backup",
        )
        typer.echo(f"error: {broken}", err=True)
        raise typer.Exit(exit_code_of(broken))


@app.command()
def export(
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="File to write, not there yet. Default: standard output.")
    ] = None,
    after: After = None,
    collection: Annotated[str | None, typer.Option(help="Entries about this collection alone.")] = None,
    person: Annotated[str | None, typer.Option(help="Entries about this person of the collection alone.")] = None,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Write the entries as JSON lines. A whole export can be checked anywhere: `countersign audit verify --file`.

    Exit codes: 0 done, 3 not a head, or the file is there, 7 an entry is broken, or the database or keys cannot be
    used, 8 setting.
    """
    from enroll.audit.chain import START, Head
    from enroll.audit.reading import concerns, stored_log, to_line

    if person is not None and collection is None:
        raise typer.BadParameter("a person is one of a --collection", param_hint="--person")
    with typed_exit():
        begin = START if after is None else Head.parse(after, "after")
        place = store_place(config, database, key_database, key_file)
        with _log_of(place) as (data, keys), data.reading() as connection, _output(out) as stream:
            pseudonym = None if person is None or collection is None else keys.pseudonym_of(collection, person)
            for row in stored_log(connection, after=begin)[1]:
                if collection is None or concerns(row, collection, pseudonym):
                    stream.write(to_line(row) + "\n")


@contextmanager
def _log_of(place: "StorePlace") -> Iterator[tuple["OpenDatabase", "AuditKeys"]]:
    """The database and the log's keys; the log itself is not looked at, as opening a store would."""
    from enroll.audit.chain import AuditKeys
    from enroll.stores import schema_version
    from enroll.stores.opening import AUDIT_SECRET, open_database, open_key_store

    require_database(place)
    with closing(open_database(place.database, create=False)) as data:
        schema_version.require_head(data)
        with closing(open_key_store(place, data)) as keys:
            yield data, AuditKeys.derive(keys.secret(AUDIT_SECRET))


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """The new file, readable by its owner only, or standard output."""
    if path is None:
        yield sys.stdout
        return
    from encode.errors import FieldInvalid

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise FieldInvalid(
            f"{path}: {error.strerror}", field="out", fix="name a new file in a folder that is writable"
        ) from error
    with open(descriptor, "w", encoding="utf-8") as stream:
        yield stream


def _print(checked: "Checked", *, as_json: bool) -> None:
    if as_json:
        findings = [
            {"damage": finding.damage.value, "sequence": finding.sequence, "message": finding.message}
            for finding in checked.findings
        ]
        told = {"entries": checked.entries, "intact": checked.intact, "head": str(checked.end), "findings": findings}
        typer.echo(json.dumps(told))
        return
    for finding in checked.findings:
        typer.echo(f"{finding.damage.value}: {finding.message}")
    if checked.intact:
        typer.echo(f"{checked.entries:,} entries, intact\nhead {checked.end}")
