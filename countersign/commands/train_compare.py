"""`countersign train compare RECIPE… --corpus … --out DIR`: every recipe with every seed → one table."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from countersign.exit_codes import typed_exit


def compare(
    recipes: Annotated[list[str], typer.Argument(help="Shipped recipes or TOML files, two or more.")],
    corpus: Annotated[
        list[str], typer.Option(help="Corpus to train on, for example lfw:DIR or susig:DIR; repeat for several.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of runs, table and figures; what is finished there is kept.")],
    cohort: Annotated[
        list[str] | None,
        typer.Option(help="Corpus of further impostors for the policy of each bundle."),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Corpus to measure on by protocol, never trained on; repeat for several.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each recipe, with successive seeds.")] = 3,
    against: Annotated[
        str | None,
        typer.Option(help="Recipe to take differences from; by default the first.", show_default=False),
    ] = None,
    references: Annotated[int, typer.Option(min=1, help="Samples that enroll a person of --test.")] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Times that every person of --test is enrolled.")] = 10,
    replicates: Annotated[int, typer.Option(min=100, help="Resamples of people behind the intervals.")] = 2000,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, each in a process of its own.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads of a run; by default all, or 1 with several jobs.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Embeddings for recipes that have a [teacher].", show_default=False)
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(help="Corpus that recipes with a [pretrain] learn from without labels; repeat for several."),
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Follow at tensorboard:DIR or mlflow:URI as well.", show_default=False)
    ] = None,
) -> None:
    """Train every recipe with every seed on the same people, and hold them against each other.

    Finished runs are kept and a killed one is continued when the same command is given again.
    """
    with typed_exit():
        from countersign.commands.outputs import require_folder
        from countersign.commands.repeat import command_line
        from countersign.progress import stage_progress
        from train.compare.comparison import compare_recipes
        from train.compare.matrix import read_matrix
        from train.compare.people import Setting
        from train.distributed import require_alone
        from train.threads import use_threads

        require_alone("a comparison")
        require_folder(out)
        use_threads(threads)
        matrix = read_matrix(recipes, seeds)
        setting = Setting(
            corpora=tuple(corpus),
            cohort=tuple(cohort or ()),
            tests=tuple(test or ()),
            references=references,
            draws=draws,
            replicates=replicates,
            teacher=teacher,
            unlabelled=tuple(unlabelled or ()),
            track=track,
        )
        with stage_progress() as progress:
            found = compare_recipes(
                matrix,
                setting,
                out,
                against=against,
                jobs=jobs,
                threads=threads,
                command=command_line("countersign", *sys.argv[1:]),
                progress=progress,
            )
        for failure in found.results.failures:
            typer.echo(failure, err=True)
        for path in found.paths:
            typer.echo(str(path))
        if found.results.failures:
            from encode.errors import TrainingError

            raise TrainingError(f"{len(found.results.failures)} runs failed", field="recipes", fix="see above")
