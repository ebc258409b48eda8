"""`countersign enroll`: add references to a person at a running service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import (
    MODALITY_NAMES,
    AsJson,
    Crop,
    Failures,
    Format,
    Service,
    SomeFiles,
    calls_service,
    print_json,
    require_one_way,
)
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from verify.v1.enrollment_pb2 import EnrollResponse


@calls_service
def enroll(
    person: Annotated[str | None, typer.Argument(help="The person's id in the collection.", show_default=False)] = None,
    files: SomeFiles = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="In place of PERSON and FILES: a corpus manifest (path,person,modality,kind), whose genuine rows are "
            "enrolled, many people at a time. Run again after a break, it goes on.",
        ),
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Repeat a call safely: the same id enrolls once. Default: a new one.")
    ] = None,
    *,
    service: Service,
    crop: Crop = None,
    stroke_format: Format = None,
    as_json: AsJson = False,
    failures: Failures = None,
) -> None:
    """Enroll a person from image and stroke files. Samples that cannot be used are listed with the reason; the others
    count. A stroke file that does not parse stops the command before anything is sent.

    Exit codes: 0 enrolled, 3 no sample can be used or an id is wrong, 4 no service, 5 refused by what is stored, 11 no
    access, 13 enrolled but for some of the manifest.
    """
    from countersign.commands.sample_files import read_sample_files

    require_one_way(person, files, table, request_id=request_id, crop=crop, format=stroke_format, json=as_json)
    if table is not None:
        _enroll_all(service, table, failures)
        return
    if person is None or files is None:
        raise AssertionError("there is one way or the other")
    with typed_exit(as_json=as_json):
        samples = read_sample_files(files, crop=crop, stroke_format=stroke_format)
        with service.called() as (client, collection):
            answer = client.enroll(collection, person, samples, request_id=request_id)
    if as_json:
        print_json(answer)
    else:
        _print(answer, files)


def _enroll_all(service: Service, manifest: Path, report: Path | None) -> None:
    from countersign.bulk.enroll_manifest import enroll_manifest
    from countersign.bulk.failures import print_failures, require_report, write_report
    from countersign.progress import stage_progress

    with typed_exit():
        require_report(report)
        with service.called() as (client, collection), stage_progress() as progress:
            done = enroll_manifest(client, collection, manifest, progress)
        if report is not None:
            write_report(done.failed, report)
    typer.echo(
        f"{done.stored:,} of {done.samples:,} samples are enrolled, of {len(done.reached):,} of {done.people:,} people."
    )
    if done.failed:
        print_failures(done.failed, report)
        raise typer.Exit(ExitCode.PARTIAL)


def _print(answer: "EnrollResponse", files: list[Path]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("file", "modality", "enrolled", "reason", title=f"Enrolling {escape(answer.person.person)}")
    for file, outcome in zip(files, answer.outcomes, strict=True):
        problem = outcome.problem
        why = "" if outcome.accepted else f"{problem.reason}: {problem.message} ({problem.fix})"
        name = MODALITY_NAMES[outcome.modality]
        table.add_row(escape(str(file)), name, "yes" if outcome.accepted else "no", escape(why))
    console.print(table)
    for template in answer.person.templates:
        references = template.anchors + template.recent
        missing = f", {template.missing} more needed before a claim can be verified" if template.missing else ""
        console.print(f"{references} {MODALITY_NAMES[template.modality]} references kept{missing}.")
