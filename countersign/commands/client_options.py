"""What every command that calls a service takes: the images, and where the service and the person are."""

from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[
    list[Path], typer.Argument(help="Image files: PNG, JPEG, PGM, BMP or WebP.", exists=True, dir_okay=False)
]
Address = Annotated[
    str | None, typer.Option(help="host:port of the service. Default: COUNTERSIGN_ADDRESS or 127.0.0.1:50051.")
]
Collection = Annotated[str | None, typer.Option(help="The gallery. Default: COUNTERSIGN_COLLECTION or `default`.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds to wait for the answer. Default: 30.")]
Crop = Annotated[
    str | None,
    typer.Option(help="Where the face is in every image: left,top,right,bottom in pixels. Default: all of it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
