"""`countersign train RECIPE --corpus … --out DIR`: recipe and corpora → sealed bundle."""

from pathlib import Path
from typing import Annotated

import typer

from countersign.exit_codes import typed_exit


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (face, signature-bromley1993, …) or a TOML file.")],
    corpus: Annotated[
        list[str], typer.Option(help="Corpus to train on, for example lfw:DIR or susig:DIR; repeat for several.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    cohort: Annotated[
        list[str] | None, typer.Option(help="Corpus of further impostors for the policy, never trained on.")
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
        from train.recipe import load_recipe
        from train.run import train_bundle
        from train.threads import use_threads

        use_threads(threads)
        chosen = load_recipe(recipe)
        if seed is not None:
            chosen = dataclasses.replace(chosen, seed=seed)
        with stage_progress() as progress:
            bundle = train_bundle(
                chosen, corpus, out, work or Path("runs") / chosen.name, cohort=cohort or (), progress=progress
            )
    typer.echo(f"{bundle.manifest.name}: sealed at {out}, model digest {bundle.model_digest}")
    typer.echo(f"Read {out / 'MODEL_CARD.md'} before you use it.")
