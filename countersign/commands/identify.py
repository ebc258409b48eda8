"""`countersign identify`: who of a collection is this? Asked of a running service that identifies."""

from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import AsJson, Crop, Files, Format, Service, calls_service, print_json
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from verify.v1.verification_pb2 import IdentifyResponse


@calls_service
def identify(
    files: Files,
    target_far: Annotated[
        float | None,
        typer.Option(help="False-accept rate of the whole search, such as 0.001 for 0.1 %. Default: the policy's."),
    ] = None,
    max_candidates: Annotated[int, typer.Option(min=1, max=100, help="People to name at most.")] = 1,
    *,
    service: Service,
    crop: Crop = None,
    stroke_format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Search a collection for the person of one or more files: faces, signatures, or both, whose evidence adds up.

    Exit codes: 0 somebody matches, 1 nobody does, 3 no sample can be used, 4 no service, or its gallery is still being
    built, 5 the service does not identify, or unavailable target FAR, 11 no access.
    """
    from countersign.commands.sample_files import read_sample_files

    with typed_exit(as_json=as_json):
        samples = read_sample_files(files, crop=crop, stroke_format=stroke_format)
        with service.called() as (client, collection):
            answer = client.identify(collection, samples, target_far=target_far, max_candidates=max_candidates)
    if as_json:
        print_json(answer)
    else:
        _print(answer)
    if not answer.candidates:
        raise typer.Exit(ExitCode.REJECTED)


def _print(answer: "IdentifyResponse") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if answer.candidates:
        named = Table("person", "probability", "LLR")
        for one in answer.candidates:
            named.add_row(escape(one.person), f"{one.probability:.4f}", f"{one.log_likelihood_ratio:+.2f}")
        console.print(named)
    else:
        console.print("Nobody of the collection matches.")
    console.print(
        f"Searched {answer.gallery_size:,} people at {100 * answer.target_far:g} % for the whole search, which leaves "
        f"{100 * answer.comparison_far:.2g} % to a comparison: the LLR has to reach {answer.threshold:+.2f}."
    )
    if answer.beyond_evidence:
        console.print("The policy was measured on too few impostor trials to show this rate: it is extrapolated.")
    for sample in answer.samples:
        if not sample.acquired:
            console.print(f"Sample {sample.index + 1} cannot be used: {sample.problem.reason}.")
