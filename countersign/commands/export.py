"""`countersign eval export`: scores as text for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from countersign.commands.evaluation_options import ImpostorKind
from countersign.commands.outputs import require_file, require_folder
from countersign.exit_codes import typed_exit


class TextFormat(StrEnum):
    """How scores are laid out in text."""

    IDIAP4 = "idiap4"
    IDIAP5 = "idiap5"
    PLAIN = "plain"


def export(
    scores: Annotated[Path, typer.Argument(help="scores.parquet, or the folder of a run.", show_default=False)],
    layout: Annotated[
        TextFormat,
        typer.Option(
            "--format",
            help="idiap4: claimed, real, label, score; idiap5: with the template; plain: genuine.txt and impostor.txt.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write, with plain the folder.", show_default=False)],
    kind: Annotated[
        ImpostorKind | None, typer.Option(help="The impostors to write, where the scores hold both kinds.")
    ] = None,
    draw: Annotated[
        int | None, typer.Option(min=0, help="The draw of references to write; by default all, idiap4 holds one only.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to write, where the scores hold several.")] = None,
    protocol: Annotated[str | None, typer.Option(help="The protocol to write, where the scores hold several.")] = None,
) -> None:
    """Write scores as text: the genuine trials and the impostor trials of one kind.

    Failures to acquire are written as nan.

    Exit codes: 0 written, 8 cannot write, 9 no such scores, or several to choose from.
    """
    from eval.files.score_export import write_idiap, write_plain
    from eval.files.score_file import read_scores, score_path
    from eval.trials import TrialKind

    with typed_exit():
        (require_folder if layout is TextFormat.PLAIN else require_file)(out)
        table = read_scores(score_path(scores), model=model, protocol=protocol)
        chosen = None if kind is None else TrialKind(kind.value)
        written: tuple[Path, ...]
        if layout is TextFormat.PLAIN:
            written = write_plain(table, out, kind=chosen, draw=draw)
        else:
            columns = 4 if layout is TextFormat.IDIAP4 else 5
            written = (write_idiap(table, out, columns=columns, kind=chosen, draw=draw),)
    for file in written:
        typer.echo(str(file))
