"""`countersign train adapt`: a head on a frozen encoder for your own people, and whether it is worth having."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import print_paths
from countersign.commands.repeat import command_line
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from train.adapt.verdict import Verdict

_ADVICE = {
    "better": "The adapted encoder is better on people it never saw.",
    "worse": "The adapted encoder is worse: keep the encoder that you have.",
    "no difference shown": "No gain is shown on people it never saw: keep the encoder that you have.",
}


def adapt(
    encoder: Annotated[Path, typer.Option(help="Folder of a bundle, or an ONNX file.")],
    corpus: Annotated[
        list[str], typer.Option(help="Corpus of your own people, for example folder:DIR; repeat for several.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    preprocessing: Annotated[
        Path | None, typer.Option(help="TOML file: what a bare ONNX file reads and puts out.", show_default=False)
    ] = None,
    folds: Annotated[
        int, typer.Option(min=1, help="Test everybody once, in so many parts; 1 tests three people in ten.")
    ] = 5,
    name: Annotated[
        str | None,
        typer.Option(help="What to call the model. By default the encoder's name, adapted."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of the report. Default: OUT-report.", show_default=False)
    ] = None,
    require_gain: Annotated[bool, typer.Option("--require-gain", help="Exit with 10 unless a gain is shown.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the division of people, the batches and the resampling.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Processor threads; by default all that may be used.")] = None,
) -> None:
    """Fit a head behind a frozen encoder on your own people, and report what it is worth on people it never saw.

    The bundle is sealed whatever the report says. The encoder itself is not trained.

    Exit codes: 0 done, 3 corpus unusable, 6 bundle unusable, 9 encoder unusable or too few people, 10 no gain shown
    where --require-gain asks for one.
    """
    from rich.console import Console

    with typed_exit():
        from countersign.progress import stage_progress
        from train.adapt.run import adapt_bundle
        from train.threads import use_threads

        use_threads(threads)
        with stage_progress() as progress:
            adapted = adapt_bundle(
                *(encoder, corpus, out),
                preprocessing=preprocessing,
                name=name,
                folds=folds,
                seed=seed,
                command=command_line(
                    *("countersign", "train", "adapt"),
                    *(word for one in corpus for word in ("--corpus", one)),
                    encoder=encoder,
                    preprocessing=preprocessing,
                    out=out,
                    folds=folds,
                    name=name,
                    seed=seed,
                ),
                progress=progress,
            )
        written = adapted.write(report or out.with_name(f"{out.name}-report"))
    console = Console()
    print_verdict(console, "Adapted, against the encoder as it was", adapted.verdict)
    if adapted.of_head is not None:
        print_verdict(console, "Of that by the head: against a background of the same people", adapted.of_head)
    console.print(f"\n{_ADVICE[adapted.verdict.word]}")
    if adapted.of_head is not None and adapted.verdict.word == "better" and adapted.of_head.word != "better":
        console.print("The gain is not shown to be the head's: a background of your own people may do as well.")
    if adapted.trained_on:
        names = ", ".join(adapted.trained_on)
        console.print(
            f"People of {names} trained the encoder: rates, before as after, and thresholds promise too much."
        )
    console.print(f"Sealed at {out}, model digest {adapted.bundle.model_digest}", soft_wrap=True, highlight=False)
    print_paths(console, written)
    if require_gain and adapted.verdict.word != "better":
        raise typer.Exit(ExitCode.REQUIREMENT)


def print_verdict(console: "Console", title: str, verdict: "Verdict") -> None:
    """Every rate before and after with its interval, and their paired difference."""
    from rich.table import Table

    from eval.page.wording import ends, percent

    first = verdict.rates[0]
    table = Table(title=f"{title}: {first.people} people, 95 % intervals: {verdict.word}", title_justify="left")
    for heading in ("impostors", "rate", "before", "after", "difference in points", "p (Holm)"):
        table.add_column(heading)
    for rate in verdict.rates:
        table.add_row(
            f"{rate.impostor}\n{rate.genuine:,} / {rate.impostors:,}",
            rate.rate,
            f"{percent(rate.before)}\n{ends(rate.before_low, rate.before_high)}",
            f"{percent(rate.after)}\n{ends(rate.after_low, rate.after_high)}",
            f"{100 * rate.value:+.2f}\n{100 * rate.low:+.2f} to {100 * rate.high:+.2f}",
            f"{rate.p_holm:.2g}",
        )
    console.print(table)
