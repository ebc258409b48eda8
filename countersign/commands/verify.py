"""`countersign verify`: is this person who they claim to be? Asked of a running service, told by the exit code."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import Address, AsJson, Collection, Crop, Images, Timeout
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from verify.v1.verification_pb2 import VerifyResponse


def verify(
    person: Annotated[str, typer.Argument(help="The claimed person's id in the collection.")],
    images: Images,
    target_far: Annotated[
        float | None,
        typer.Option(help="False-accept rate to decide at, such as 0.001 for 0.1 %. Default: the policy's."),
    ] = None,
    address: Address = None,
    collection: Collection = None,
    timeout: Timeout = None,
    crop: Crop = None,
    as_json: AsJson = False,
) -> None:
    """Verify a claimed identity from one or more image files.

    Exit codes: 0 accepted, 1 rejected, 3 no image can be used or an id is wrong, 4 no service, 5 unknown person,
    unavailable target FAR, or refused by what is stored.
    """
    from encode.sample import CropBox, ImageSample
    from verify.client import Client
    from verify.settings import client_settings

    with typed_exit(as_json=as_json):
        settings = client_settings(address=address, collection=collection, timeout_seconds=timeout)
        box = None if crop is None else CropBox.parse(crop)
        samples = [ImageSample(image.read_bytes(), crop=box) for image in images]
        with Client(settings.address, timeout=settings.timeout_seconds) as client:
            answer = client.verify(settings.collection, person, samples, target_far=target_far)
    if as_json:
        from google.protobuf.json_format import MessageToJson

        typer.echo(MessageToJson(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    else:
        _print(answer, person, images)
    if not answer.accepted:
        raise typer.Exit(ExitCode.REJECTED)


def _print(answer: "VerifyResponse", person: str, images: list[Path]) -> None:
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
    if len(images) > 1:
        evidence = Table("image", "LLR", "reason")
        for image, sample in zip(images, answer.samples, strict=True):
            llr = f"{sample.log_likelihood_ratio:+.2f}" if sample.acquired else ""
            why = "" if sample.acquired else f"{sample.problem.reason}: {sample.problem.message}"
            evidence.add_row(escape(str(image)), llr, escape(why))
        console.print(evidence)
