"""`countersign verify`: is this person who they claim to be? Asked of a running service, told by the exit code."""

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
    from verify.v1.verification_pb2 import VerifyResponse

STATUS_WORDS = (
    "",
    "used",
    "unusable: none of its samples can be read",
    "not enrolled: the person has no or too few references",
    "not sent: the person is enrolled in it",
)
"""Words for the numbers of the wire's ModalityStatus."""


@calls_service
def verify(
    person: Annotated[
        str | None, typer.Argument(help="The claimed person's id in the collection.", show_default=False)
    ] = None,
    files: SomeFiles = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="In place of PERSON and FILES: a table of claims (path,person,modality; optional kind, source, "
            "trial), decided many at a time.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --from: where the decisions go, .csv; or .parquet, scores for `countersign eval scores`."
        ),
    ] = None,
    target_far: Annotated[
        float | None,
        typer.Option(help="False-accept rate to decide at, such as 0.001 for 0.1 %. Default: the policy's."),
    ] = None,
    *,
    service: Service,
    crop: Crop = None,
    stroke_format: Format = None,
    accept_partial: Annotated[
        bool,
        typer.Option(
            "--accept-partial",
            help="Decide on those modalities that can be used, though another that was sent cannot. Whoever spoils a "
            "sample then chooses what they are tested by. Default: such a claim is rejected.",
        ),
    ] = False,
    as_json: AsJson = False,
    failures: Failures = None,
) -> None:
    """Verify a claimed identity from one or more files: faces, signatures, or both, whose evidence then adds up.

    Exit codes: 0 accepted, or every claim of a table decided; 1 rejected, 3 no sample can be used or an id is wrong, 4
    no service, 5 unknown person, unavailable target FAR, or refused by what is stored, 11 no access, 13 decided but for
    some of the table.
    """
    from countersign.commands.sample_files import read_sample_files

    require_one_way(person, files, table, crop=crop, format=stroke_format, json=as_json)
    if table is not None:
        if out is None:
            raise typer.BadParameter("--from needs --out, where the decisions go")
        _verify_all(service, table, out, failures, target_far, accept_partial=accept_partial)
        return
    if person is None or files is None:
        raise AssertionError("there is one way or the other")
    with typed_exit(as_json=as_json):
        samples = read_sample_files(files, crop=crop, stroke_format=stroke_format)
        with service.called() as (client, collection):
            answer = client.verify(collection, person, samples, target_far=target_far, accept_partial=accept_partial)
    if as_json:
        print_json(answer)
    else:
        _print(answer, person, files, accept_partial=accept_partial)
    if not answer.accepted:
        raise typer.Exit(ExitCode.REJECTED)


def _verify_all(
    service: Service, table: Path, out: Path, report: Path | None, target_far: float | None, *, accept_partial: bool
) -> None:
    from countersign.bulk.failures import print_failures, require_report, write_report
    from countersign.bulk.trial_list import read_trials
    from countersign.bulk.trial_results import require_results, write_results
    from countersign.bulk.verify_trials import verify_trials
    from countersign.progress import stage_progress

    with typed_exit():
        trials = read_trials(table)
        require_results(out, kinds=all(trial.kind for trial in trials))
        require_report(report)
        with service.called() as (client, collection), stage_progress() as progress:
            outcome = verify_trials(
                client, collection, trials, progress, target_far=target_far, accept_partial=accept_partial
            )
        write_results(outcome.decided, out)
        if report is not None:
            write_report(outcome.failed, report)
    accepted = sum(one.accepted for one in outcome.decided)
    typer.echo(f"{accepted:,} of {len(trials):,} claims are accepted, {len(outcome.decided) - accepted:,} rejected.")
    if outcome.failed:
        print_failures(outcome.failed, report)
        raise typer.Exit(ExitCode.PARTIAL)


def _print(answer: "VerifyResponse", person: str, files: list[Path], *, accept_partial: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    decision = Table("claim", "probability", "LLR", "threshold", "target FAR", "decision")
    decision.add_row(
        escape(person),
        f"{answer.probability:.4f}",
        f"{answer.log_likelihood_ratio:+.2f}",
        f"{answer.threshold:+.2f}",
        f"{100 * answer.target_far:g} %",
        "accepted" if answer.accepted else "rejected",
    )
    console.print(decision)
    if answer.beyond_evidence:
        console.print("The policy was measured on too few impostor trials to show this target FAR.")
    if len(answer.modalities) > 1 or not answer.complete:
        shares = Table("modality", "share of the LLR", "status")
        for part in answer.modalities:
            share = f"{part.log_likelihood_ratio:+.2f}" if part.HasField("log_likelihood_ratio") else ""
            shares.add_row(MODALITY_NAMES[part.modality], share, STATUS_WORDS[part.status])
        console.print(shares)
    if not answer.complete:
        console.print(
            "Decided on part of what was sent, as --accept-partial allows."
            if accept_partial
            else "Rejected whatever the score, because not all that was sent could be used; see --accept-partial."
        )
    if len(files) > 1 or not answer.complete:
        evidence = Table("file", "modality", "LLR", "reason")
        for file, sample in zip(files, answer.samples, strict=True):
            llr = f"{sample.log_likelihood_ratio:+.2f}" if sample.HasField("log_likelihood_ratio") else ""
            why = "" if sample.acquired else f"{sample.problem.reason}: {sample.problem.message}"
            evidence.add_row(escape(str(file)), MODALITY_NAMES[sample.modality], llr, escape(why))
        console.print(evidence)
