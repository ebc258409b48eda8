"""Options that several commands of the evaluator share, and the paths that each names when it is done."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


class ImpostorKind(StrEnum):
    """Zero-effort impostors or skilled forgers."""

    RANDOM = "random"
    SKILLED = "skilled"


ImpostorSamples = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Zero-effort probes of each other person in one draw; 0 for all. By default 1 for signatures, else 0.",
    ),
]

Figures = Annotated[
    bool, typer.Option("--figures", help="Also write every figure as SVG and PNG, in the folder figures.")
]

SealInto = Annotated[
    Path | None,
    typer.Option(help="Folder for a copy of the bundle with that policy sealed in.", show_default=False),
]


def print_paths(console: "Console", written: Iterable[Path]) -> None:
    """One path a line, whole and as it is."""
    for path in written:
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)
