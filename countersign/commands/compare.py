"""`countersign eval compare`: models side by side on the same people, and which differences are more than chance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import print_paths
from countersign.commands.outputs import require_folder
from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from eval.verdicts.comparison_results import ComparisonResults, KindComparison


def compare(
    scores: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more: folders of runs, or their scores.parquet. The others are held against the first.",
            show_default=False,
        ),
    ],
    names: Annotated[
        str | None,
        typer.Option(help="What to call them, separated by commas. Default: their folders' names.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for comparison.json and comparison.html; made if need be.", show_default=False),
    ] = None,
    far: Annotated[
        list[float] | None,
        typer.Option(help="False-accept rate at which FRRs are compared; repeat it for more. Default: 0.01 and 0.001."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
) -> None:
    """Compare models by their scores on the same people.

    Thresholds are chosen after the fact, each model its own. People are resampled for all models alike, so that what
    makes a person easy or hard for every model cancels.

    Exit codes: 0 compared, 3 option unusable, 8 cannot write, 9 scores unusable or not of the same people.
    """
    from rich.console import Console

    from eval.verdicts.compare import FARS
    from eval.verdicts.compare import compare as measure
    from eval.verdicts.comparison_sources import read_compared

    with typed_exit():
        if out is not None:
            require_folder(out)
        compared = read_compared(scores, None if names is None else [name.strip() for name in names.split(",")])
        comparison = measure(
            compared.tables,
            fars=tuple(far or FARS),
            seed=seed,
            notes=compared.notes,
            command=command_line(
                *("countersign", "eval", "compare", *map(str, scores)),
                *(word for one in far or () for word in ("--far", f"{one:g}")),
                names=names,
                out=out,
                seed=seed,
            ),
        )
        written = () if out is None else comparison.write(out)
    console = Console()
    print_comparison(console, comparison.results)
    print_paths(console, written)


def print_comparison(console: "Console", results: "ComparisonResults") -> None:
    """Two tables for each kind of impostor: the models' rates, and their differences from the first."""
    from eval.page.wording import KIND_TITLES

    for note in results.notes:
        console.print(f"[yellow]{note}[/yellow]", highlight=False)
    for kind, block in results.blocks.items():
        console.print(f"\n[bold]{KIND_TITLES[kind]}[/bold]: {results.people:,} people, {block.interval}")
        _print_rates(console, block)
        _print_differences(console, block)
        if any(row.beyond_evidence for row in block.frr_at_far):
            console.print("† fewer impostor comparisons than the rule of 30 asks for")


def _print_rates(console: "Console", block: "KindComparison") -> None:
    from rich.table import Table

    from eval.page.wording import interval, level, percent

    table = Table(show_lines=True)
    table.add_column("95 % interval below")
    marks = [" †" if row.beyond_evidence else "" for row in block.frr_at_far]
    for row, mark in zip(block.frr_at_far, marks, strict=True):
        table.add_column(f"FRR at FAR {level(row.far)}{mark}", justify="right", no_wrap=True)
    for heading in ("EER", "AUC"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in block.models:
        rates = [*(point.frr for point in model.rates.frr_at_far), model.rates.eer, model.rates.auc]
        table.add_row(model.name, *(f"{percent(rate.value)}\n{interval(rate)}" for rate in rates))
    console.print(table)


def _print_differences(console: "Console", block: "KindComparison") -> None:
    from rich.table import Table

    from eval.page.wording import level

    several = len(block.models) > 2
    table = Table(title=f"Against {block.models[0].name}, in percentage points", title_justify="left")
    table.add_column("model")
    table.add_column("rate")
    for heading in ("difference", "95 % interval", "p", *(["p (Holm)"] if several else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [(f"FRR at FAR {level(row.far)}", row.differences) for row in block.frr_at_far]
    rows += [("EER", block.eer), ("AUC", block.auc)]
    for index, model in enumerate(block.models[1:]):
        for rate, differences in rows:
            one = differences[index]
            table.add_row(
                model.name,
                rate,
                f"{100 * one.value:+.2f}",
                f"{100 * one.low:+.2f} to {100 * one.high:+.2f}",
                *(f"{p:.2g}" if p >= 0.0001 else "< 0.0001" for p in ((one.p, one.p_holm) if several else (one.p,))),
            )
        table.add_section()
    console.print(table)
