"""What every command that calls a service takes: the samples, and where the service and the person are."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from verify.client.client import Client


class StrokeFormat(StrEnum):
    """How a stroke file is written, where its name and content do not tell."""

    SVC2004 = "svc2004"
    SUSIG = "susig"
    SIGCOMP2009 = "sigcomp2009"
    CSV = "csv"
    JSON = "json"


_FILES: Any = typer.Argument(
    help="Faces: image files (PNG, JPEG, PGM, BMP, WebP). Signatures: stroke files (.txt, .sig, .hwr, .csv, "
    ".json). Both may come in one call.",
    exists=True,
    dir_okay=False,
)
Files = Annotated[list[Path], _FILES]
SomeFiles = Annotated[list[Path] | None, _FILES]
Failures = Annotated[
    Path | None, typer.Option(help="With --from: write what could not be done, and why, as .csv or .json.")
]
Format = Annotated[
    StrokeFormat | None,
    typer.Option("--format", help="How the stroke files are written. Default: told from name and content."),
]
Address = Annotated[
    str | None, typer.Option(help="host:port of the service. Default: COUNTERSIGN_ADDRESS or 127.0.0.1:50051.")
]
Collection = Annotated[str | None, typer.Option(help="The gallery. Default: COUNTERSIGN_COLLECTION or `default`.")]
Token = Annotated[
    str | None,
    typer.Option(help="cs_..., for a service that asks for one. Better in COUNTERSIGN_TOKEN: `ps` shows flags."),
]
Tls = Annotated[bool | None, typer.Option("--tls", help="Encrypt; the service's certificate is of a public authority.")]
TlsCa = Annotated[
    Path | None, typer.Option(help="PEM file of the certificate to trust, the service's own or its authority's.")
]
TlsCert = Annotated[Path | None, typer.Option(help="PEM file of your own certificate, where the service asks for one.")]
TlsKey = Annotated[Path | None, typer.Option(help="PEM file of its private key.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds to wait for the answer. Default: 30.")]
Crop = Annotated[
    str | None,
    typer.Option(help="Where the face is in every image file: left,top,right,bottom in pixels. Default: all of it."),
]

MODALITY_NAMES = ("unspecified", "face", "signature")
"""Words for the numbers of the wire's Modality."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]

_OPTIONS: dict[str, Any] = {
    "address": Address,
    "collection": Collection,
    "timeout": Timeout,
    "token": Token,
    "tls": Tls,
    "tls_ca": TlsCa,
    "tls_cert": TlsCert,
    "tls_key": TlsKey,
}


@dataclass(frozen=True, slots=True)
class Service:
    """The service that a command's options name."""

    _given: Mapping[str, Any]

    @contextmanager
    def called(self) -> "Iterator[tuple[Client, str]]":
        """A client of it, and the collection that the call is about. Raises ConfigError, ServiceUnavailable."""
        from verify.client.client import Client
        from verify.settings import client_settings

        given = dict(self._given)
        settings = client_settings(timeout_seconds=given.pop("timeout"), **given)
        with Client.of(settings) as client:
            yield client, settings.collection


def calls_service(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with the options that say where the service is, in place of its parameter `service`."""

    @wraps(command)
    def with_options(**given: Any) -> None:
        service = Service({name: given.pop(name) for name in _OPTIONS})
        command(service=service, **given)

    own = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        if name == "service":
            keyword = inspect.Parameter.KEYWORD_ONLY
            parameters += [inspect.Parameter(o, keyword, default=None, annotation=a) for o, a in _OPTIONS.items()]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    # What typer reads a command's arguments and options from.
    with_options.__dict__["__signature__"] = own.replace(parameters=parameters)
    with_options.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return with_options


def require_one_way(person: str | None, files: list[Path] | None, table: Path | None, **single: object) -> None:
    """Raise BadParameter unless either a person and files are given, or a table without what is for one person."""
    if table is None:
        if person is None or not files:
            raise typer.BadParameter("name a person and at least one file, or a table with --from")
        return
    given = [f"--{name.replace('_', '-')}" for name, value in single.items() if value]
    if person is not None or given:
        raise typer.BadParameter(f"--from tells everything: leave out {', '.join(given) or 'the person and the files'}")


def print_json(answer: "Message | list[Message]") -> None:
    """Print an answer of the service, or a list of parts of one, with the names of the wire."""
    from google.protobuf.json_format import MessageToDict

    def told(message: "Message") -> dict[str, Any]:
        return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)

    typer.echo(json.dumps([told(one) for one in answer] if isinstance(answer, list) else told(answer), indent=2))
