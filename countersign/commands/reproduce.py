"""`countersign reproduce PAPER`: the papers' own experiments, with one command each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from eval.results.kind_results import KindResults
    from train.reproduce_bromley1993 import Outcome as SignatureOutcome
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
        path = _write([_facts(outcome) for outcome in outcomes], out)
    _print(outcomes)
    typer.echo(f"All rates with their intervals: {path}")


@app.command()
def bromley1993(
    corpus: Annotated[
        list[str], typer.Option(help="Signatures with skilled forgeries: svc2004:DIR, susig:DIR; repeat for several.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and results.json.")] = Path("runs/bromley1993"),
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each fold.")] = 1500,
    threads: Annotated[int | None, typer.Option(help="Processor threads; by default all that may be used.")] = None,
) -> None:
    """The operating point of Bromley et al. 1993: forgeries caught where 95.5 % of genuine signatures are accepted."""
    with typed_exit():
        import dataclasses

        from countersign.progress import stage_progress
        from eval.corpora.spec import open_corpus
        from train.recipe import load_recipe
        from train.reproduce_bromley1993 import reproduce
        from train.threads import use_threads

        use_threads(threads)
        shipped = load_recipe("signature-bromley1993")
        plan = dataclasses.replace(shipped.optimisation, steps=steps, warmup=min(shipped.optimisation.warmup, steps))
        recipes = [
            dataclasses.replace(
                shipped,
                name=name,
                optimisation=plan,
                network_options={**shipped.network_options, "averaged": averaged},
            )
            for name, averaged in (("1993 network", False), ("1993 network averaged", True))
        ]
        opened = [open_corpus(spec) for spec in corpus]
        with stage_progress() as progress:
            outcomes = list(reproduce(opened, recipes, out, progress=progress))
        path = _write([_signature_facts(outcome) for outcome in outcomes], out)
    _print_signatures(outcomes)
    typer.echo(f"All rates with their intervals: {path}")


def _signature_facts(outcome: "SignatureOutcome") -> dict[str, object]:
    measured = {name: getattr(outcome, name).model_dump(mode="json") for name in ("caught", "accepted", "rates")}
    return {"system": outcome.system, "corpus": outcome.corpus} | measured


def _print_signatures(outcomes: "list[SignatureOutcome]") -> None:
    from rich.console import Console
    from rich.table import Table

    from train.reproduce_bromley1993 import FORGERIES_CAUGHT, GENUINE_ACCEPTED

    console = Console() if Console().is_terminal else Console(width=170)
    for corpus in dict.fromkeys(outcome.corpus for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.corpus == corpus]
        counts = own[0].rates.trials
        title = f"{corpus} ({counts.people} people, {counts.genuine} genuine signatures, {counts.impostor} forgeries)"
        table = Table(title=title)
        table.add_column("system")
        table.add_column(f"forgeries caught at {GENUINE_ACCEPTED:.1%} genuine accepted", justify="right")
        table.add_column(f"genuine accepted at {FORGERIES_CAUGHT:.0%} forgeries caught", justify="right")
        table.add_column("EER", justify="right")
        paper = (f"{FORGERIES_CAUGHT:.1%}", f"{GENUINE_ACCEPTED:.1%}", "not given")
        table.add_row("paper (its own signatures)", *paper, style="bold")
        for outcome in own:
            table.add_row(
                outcome.system, *(_cell(rate) for rate in (outcome.caught, outcome.accepted, outcome.rates.eer))
            )
        console.print(table)
    console.print(
        "Brackets: 95 % intervals, people resampled. Thresholds are a posteriori and the same for everybody, as in the "
        "paper. Its signatures were never published: the rows are the same experiment on other people and other "
        "forgers, not the same test."
    )


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


def _facts(outcome: "Outcome") -> dict[str, object]:
    return {
        "system": outcome.system,
        "gaussian": outcome.gaussian,
        "paper_split": outcome.paper_split.model_dump(mode="json"),
        "all_folds": outcome.all_folds.model_dump(mode="json"),
    }


def _write(rows: list[dict[str, object]], out: Path) -> Path:
    import json

    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.json"
    path.write_text(json.dumps(rows, indent=2) + "\n")
    return path
