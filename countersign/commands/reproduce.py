"""`countersign reproduce PAPER`: the papers' own experiments, with one command each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from eval.results import KindResults
    from train.reproduce_chopra2005 import Outcome
    from verify.policy import Rate

app = typer.Typer(no_args_is_help=True, help="Repeat a paper's experiment and print its figures beside ours.")


@app.callback()
def papers() -> None:
    """Repeat a paper's experiment and print its figures beside ours."""


@app.command()
def chopra2005(
    corpus: Annotated[str, typer.Option(help="The AT&T faces: att:DIR, or olivetti: where there is internet.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and results.json.")] = Path("runs/chopra2005"),
    threads: Annotated[int | None, typer.Option(help="Processor threads; by default all that may be used.")] = None,
) -> None:
    """Table 1 of Chopra, Hadsell & LeCun 2005: the paper's split of AT&T, and 8 folds in which everyone is tested."""
    with typed_exit():
        from countersign.progress import stage_progress
        from eval.corpora.spec import open_corpus
        from train.recipe import load_recipe
        from train.reproduce_chopra2005 import reproduce
        from train.threads import use_threads

        use_threads(threads)
        recipes = [load_recipe(name) for name in ("att-chopra2005", "att-hadsell2006")]
        opened = open_corpus(corpus)
        with stage_progress() as progress:
            outcomes = list(reproduce(opened, recipes, out, progress=progress))
        path = _write(outcomes, out)
    _print(outcomes)
    typer.echo(f"All rates with their intervals: {path}")


def _print(outcomes: "list[Outcome]") -> None:
    from rich.console import Console
    from rich.table import Table

    from train.reproduce_chopra2005 import PAPER_FARS, PAPER_TEST_FRR

    # Lines of a table are not folded where nobody has a terminal of a certain width.
    console = Console() if Console().is_terminal else Console(width=170)
    console.print("AT&T, false reject rate at false accept rates:")
    for title, part in (("Paper's split: train s1-s35, test s36-s40", "paper_split"), ("8 folds", "all_folds")):
        shown: KindResults = getattr(outcomes[0], part)
        counts = f"{shown.trials.genuine} genuine, {shown.trials.impostor} impostor trials"
        table = Table(title=f"{title} ({counts})")
        table.add_column("system")
        for far in (*PAPER_FARS, 0.01):
            table.add_column(f"{far:.1%}", justify="right")
        table.add_column("EER", justify="right")
        paper = [f"{frr:.2%}" for frr in PAPER_TEST_FRR]
        table.add_row("paper, table 1 (test: 5 people)", *paper, "not given", "not given", style="bold")
        for outcome in outcomes:
            rates: KindResults = getattr(outcome, part)
            by_far = {row.far: row.frr for row in rates.frr_at_far}
            cells = [_cell(by_far[far]) for far in (*PAPER_FARS, 0.01)]
            table.add_row(f"{outcome.system}, {outcome.gaussian}", *cells, _cell(rates.eer))
        console.print(table)
    console.print(
        "Brackets: 95 % intervals, people resampled. Thresholds are a posteriori, as in the paper. The paper's split "
        "has 25 genuine probes of 5 people: such a test supports no strong claim, neither the paper's 0 % nor ours; "
        "the 8 folds say more."
    )


def _cell(rate: "Rate") -> str:
    return f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"


def _write(outcomes: "list[Outcome]", out: Path) -> Path:
    import json

    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.json"
    rows = [
        {
            "system": outcome.system,
            "gaussian": outcome.gaussian,
            "paper_split": outcome.paper_split.model_dump(mode="json"),
            "all_folds": outcome.all_folds.model_dump(mode="json"),
        }
        for outcome in outcomes
    ]
    path.write_text(json.dumps(rows, indent=2) + "\n")
    return path
