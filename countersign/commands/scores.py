"""`countersign eval scores`: measure scores that somebody else made, without corpus or bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import Figures, ImpostorKind, print_paths
from countersign.commands.outputs import require_folder
from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from eval.trials import ScoreTable, TrialKind


def scores(
    out: Annotated[Path, typer.Option(help="Folder to write into; made if need be.", show_default=False)],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Scores: Parquet, the folder of a run, or text of four columns (claimed, real, label, score) or five.",
            show_default=False,
        ),
    ] = None,
    genuine: Annotated[
        Path | None, typer.Option(help="In place of FILE: genuine scores, one a line.", show_default=False)
    ] = None,
    impostor: Annotated[
        Path | None, typer.Option(help="In place of FILE: impostor scores, one a line.", show_default=False)
    ] = None,
    impostor_kind: Annotated[
        ImpostorKind | None,
        typer.Option(help="What the impostors in text are; random by default. Parquet tells itself."),
    ] = None,
    development: Annotated[
        Path | None,
        typer.Option(help="Scores of other people by the same model, to set thresholds on.", show_default=False),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to measure, where Parquet holds several.")] = None,
    protocol: Annotated[str | None, typer.Option(help="The protocol to measure, where Parquet holds several.")] = None,
    development_protocol: Annotated[
        str | None, typer.Option(help="The protocol of the development scores, where their file holds several.")
    ] = None,
    nan_fails: Annotated[
        bool, typer.Option("--nan-fails", help="Count NaN as failures to acquire; otherwise NaN is an error.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    figures: Figures = False,
) -> None:
    """Measure scores: every rate with its interval, in the same files as `eval run` writes.

    A score is higher the more genuine. Where the scores do not tell who was claimed, trials count as independent.

    Exit codes: 0 measured, 3 option unusable, 8 cannot write, 9 scores unusable or too few for any rate.
    """
    from rich.console import Console

    from countersign.rates_table import print_rates
    from eval.files.score_file import score_path
    from eval.score_run import measure_scores, open_scores
    from eval.trials import TrialKind

    with typed_exit():
        require_folder(out)
        kind = None if impostor_kind is None else TrialKind(impostor_kind.value)
        table, files, name = _open(file, genuine, impostor, kind, model, protocol, nan_fails)
        others = None
        if development is not None:
            files = [*files, score_path(development)]
            # Each format tells something itself: Parquet the kind of trials, text nothing of models.
            parquet = files[-1].suffix.lower() == ".parquet"
            others = open_scores(
                files[-1],
                kind=None if parquet else kind,
                model=model if parquet else None,
                protocol=development_protocol,
                nan_is_failure=nan_fails,
            )
        evaluation = measure_scores(
            table,
            files,
            name=name,
            development=others,
            seed=seed,
            command=command_line(
                *("countersign", "eval", "scores", *([str(file)] if file else [])),
                genuine=genuine,
                impostor=impostor,
                impostor_kind=impostor_kind and impostor_kind.value,
                development=development,
                model=model,
                protocol=protocol,
                development_protocol=development_protocol,
                nan_fails=nan_fails,
                seed=seed,
                figures=figures,
                out=out,
            ),
        )
        written = evaluation.write(out, figures=figures)
    console = Console()
    print_rates(console, evaluation.results)
    print_paths(console, written)


def _open(
    file: Path | None,
    genuine: Path | None,
    impostor: Path | None,
    kind: "TrialKind | None",
    model: str | None,
    protocol: str | None,
    nan_fails: bool,
) -> "tuple[ScoreTable, list[Path], str]":
    """The scores, the files they are from, and what to call a model that the scores do not name."""
    from encode.errors import FieldInvalid, FieldMissing
    from eval.files.score_file import SCORES, score_path
    from eval.files.score_text import read_plain
    from eval.score_run import open_scores
    from eval.trials import TrialKind

    if file is not None:
        if genuine is not None or impostor is not None:
            raise FieldInvalid("give either FILE, or --genuine and --impostor", field="file")
        file = score_path(file)
        table = open_scores(file, kind=kind, model=model, protocol=protocol, nan_is_failure=nan_fails)
        return table, [file], file.resolve().parent.name if file.name == SCORES else file.stem
    if genuine is None or impostor is None:
        raise FieldMissing(
            "there are no scores to measure", field="file", fix="give FILE, or both --genuine and --impostor"
        )
    if model is not None or protocol is not None:
        raise FieldInvalid("plain files name no model and no protocol", field="model")
    table = read_plain(genuine, impostor, kind=kind or TrialKind.RANDOM, nan_is_failure=nan_fails)
    return table, [genuine, impostor], f"{genuine.name} and {impostor.name}"
