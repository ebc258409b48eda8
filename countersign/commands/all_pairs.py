"""`countersign eval all-pairs`: every sample against every template, from embeddings, at any scale."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from countersign.commands.evaluation_options import Figures, print_paths
from countersign.commands.repeat import command_line
from countersign.exit_codes import ExitCode, typed_exit


def all_pairs(
    embeddings: Annotated[
        Path,
        typer.Argument(help="Embeddings: Parquet, or NPY with a table of people beside it.", show_default=False),
    ],
    bundle: Annotated[Path, typer.Option(help="Folder of the sealed bundle that made them.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write into; made if need be.", show_default=False)],
    references: Annotated[
        int, typer.Option(min=1, help="Samples that enroll a person; with 1, every sample is a template once.")
    ] = 1,
    draws: Annotated[
        int, typer.Option(min=1, help="Enrolments per person, each with other references, where these are several.")
    ] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads of this machine; by default all that the process may use.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, to work there instead.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every choice made.")] = 0,
    tail: Annotated[
        int, typer.Option(min=1000, help="Highest impostor and lowest genuine scores that are kept one by one.")
    ] = 100_000,
    figures: Figures = False,
) -> None:
    """Compare every sample with every template and write results.json, histogram.parquet and report.html.

    Memory does not grow with the comparisons: scores are counted, and only the highest impostor and the lowest genuine
    scores are kept. An interrupted run goes on where it stopped when the same command is given again. The counts are
    the same however many workers there are, here or on a cluster.

    Exit codes: 0 measured, 3 embeddings or option unusable, 5 too few references, 6 bundle, 8 cannot write or no
    scheduler, 9 too few trials for any rate, 130 interrupted.
    """
    from rich.console import Console

    from countersign.progress import stage_progress
    from countersign.rates_table import print_rates
    from encode.bundle import open_bundle
    from encode.cpu import usable_cpus
    from enroll.identity import IdentityModel
    from eval.allpairs.parts import Parts
    from eval.allpairs.run import AllPairs, conclude, count_all, prepare_corpus
    from eval.files.embedding_file import embedded_corpus
    from verify.policy import Policy

    with typed_exit():
        opened = open_bundle(bundle)
        corpus, acquired = embedded_corpus(embeddings, opened.manifest)
        choice = AllPairs(references, draws, seed, tail, workers or usable_cpus(), scheduler)
        run = prepare_corpus(corpus, acquired, IdentityModel.from_bundle(opened), choice)
        parts = Parts(out, run.work)
        try:
            with stage_progress() as show:
                sketch = count_all(run, choice, parts=parts, progress=partial(show, "Comparing"))
        except KeyboardInterrupt:
            typer.echo(
                f"interrupted; what is finished is in {parts.folder}: the same command goes on from there", err=True
            )
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        outcome = conclude(
            run,
            sketch,
            choice,
            corpus=corpus,
            acquired=acquired,
            bundle=opened,
            policy=None if opened.policy is None else Policy.from_json(opened.policy),
            command=command_line(
                *("countersign", "eval", "all-pairs", str(embeddings)),
                bundle=bundle,
                references=references,
                draws=draws,
                seed=seed,
                tail=tail,
                out=out,
            ),
        )
        written = outcome.write(out, figures=figures)
        parts.remove()
    console = Console()
    print_rates(console, outcome.results)
    scale = outcome.results.scale
    if scale is not None:
        console.print(
            f"{scale.comparisons:,} comparisons; thresholds further in than the {scale.exact_tail:,} highest impostor "
            f"scores are exact to {scale.score_error:.2g}"
        )
    print_paths(console, written)
