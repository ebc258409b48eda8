"""What every command that calls a service takes: the samples, and where the service and the person are."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StrokeFormat(StrEnum):
    """How a stroke file is written, where its name and content do not tell."""

    SVC2004 = "svc2004"
    SUSIG = "susig"
    SIGCOMP2009 = "sigcomp2009"
    CSV = "csv"
    JSON = "json"


Files = Annotated[
    list[Path],
    typer.Argument(
        help="Faces: image files (PNG, JPEG, PGM, BMP, WebP). Signatures: stroke files (.txt, .sig, .hwr, .csv, "
        ".json). Both may come in one call.",
        exists=True,
        dir_okay=False,
    ),
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
