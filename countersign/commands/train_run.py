"""`countersign train RECIPE --corpus … --out DIR`: recipe and corpora → sealed bundle."""

from pathlib import Path
from typing import Annotated

import typer

from countersign.exit_codes import typed_exit


def run(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (face, signature-bromley1993, …) or a TOML file.")],
    corpus: Annotated[
        list[str], typer.Option(help="Corpus to train on, for example lfw:DIR or susig:DIR; repeat for several.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    cohort: Annotated[
        list[str] | None, typer.Option(help="Corpus of further impostors for the policy, never trained on.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Embeddings that a recipe with a [teacher] learns from, as Parquet or .npy.")
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(help="Corpus that a recipe with a [pretrain] learns from without labels; repeat for several."),
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Follow at tensorboard:DIR or mlflow:URI as well.", show_default=False)
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin from the weights of the run in this folder (its --work).")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoint and curve; a run found there is continued.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's own seed.")] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads; by default all that may be used.")] = None,
) -> None:
    """Train an encoder and seal it with background, policy and model card.

    A run that was killed continues from its last checkpoint when the same command is given again.
    """
    with typed_exit():
        import dataclasses

        from countersign.progress import stage_progress
        from train.distributed import joined
        from train.recipe import load_recipe
        from train.run import train_bundle
        from train.threads import use_threads

        use_threads(threads)
        chosen = load_recipe(recipe)
        if seed is not None:
            chosen = dataclasses.replace(chosen, seed=seed)
        with joined() as ranks, stage_progress() as progress:
            bundle = train_bundle(
                chosen,
                corpus,
                out,
                work or Path("runs") / chosen.name,
                cohort=cohort or (),
                teacher=teacher,
                start=start,
                unlabelled=unlabelled or (),
                track=track,
                ranks=ranks,
                progress=progress,
            )
    if bundle is None:  # another process of torchrun has sealed it
        return
    typer.echo(f"{bundle.manifest.name}: sealed at {out}, model digest {bundle.model_digest}")
    typer.echo(f"Read {out / 'MODEL_CARD.md'} before you use it.")
