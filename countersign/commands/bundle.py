"""`countersign bundle …`: look into sealed bundles, check them, and make one of an encoder from elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from encode.bundle import Bundle

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bundle() -> None:
    """Sealed bundles: what is in them, whether they are whole, and your own encoder as one."""


@app.command("import")
def import_(
    encoder: Annotated[Path, typer.Argument(help="The ONNX file; it is served unchanged.")],
    preprocessing: Annotated[Path, typer.Option(help="TOML file: what the encoder reads and puts out.")],
    corpus: Annotated[
        list[str],
        typer.Option(help="Corpus to fit background and thresholds on, for example att:DIR; repeat for several."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    cohort: Annotated[
        list[str] | None, typer.Option(help="Corpus of further impostors for the policy; one sample a person suffices.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the model. Default: the file's name.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws of references.")] = 0,
) -> None:
    """Seal an ONNX encoder of another maker, with background, identity model, policy and model card.

    Exit codes: 0 sealed, 3 corpus unusable, 6 bundle unusable, 9 encoder or preprocessing unusable, or too few people.
    """
    with typed_exit():
        from countersign.progress import stage_progress
        from train.importing import import_bundle

        with stage_progress() as progress:
            sealed = import_bundle(
                *(encoder, preprocessing, corpus, out), name=name, cohort=cohort or (), seed=seed, progress=progress
            )
    typer.echo(f"{sealed.manifest.name}: sealed at {out}, model digest {sealed.model_digest}")
    typer.echo(f"Read {out / 'MODEL_CARD.md'} before you use it.")


@app.command()
def show(folder: Annotated[Path, typer.Argument(help="Folder of the bundle.")]) -> None:
    """What a bundle is: model digest, preprocessing, embedding, identity model, corpora, thresholds, sizes."""
    with typed_exit():
        from encode.bundle import open_bundle

        opened = open_bundle(folder)
        lines = _described(opened)
    typer.echo("\n".join(lines))


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="Folder of the bundle.")]) -> None:
    """Check every digest, load the encoder and the policy, and run the network once.

    Exit codes: 0 fit to serve, 5 the policy is another model's, 6 the bundle cannot be used.
    """
    with typed_exit():
        from verify.model import load_models

        (model,) = load_models([folder]).values()
    typer.echo(f"{model.name}: whole, and fit to serve; model digest {model.model_digest}")


def _described(opened: "Bundle") -> list[str]:
    import json

    from encode.manifest import ENCODER
    from verify.policy import Policy

    manifest = opened.manifest
    embedding, identity, network = manifest.embedding, manifest.identity, manifest.network
    sizes = {name: (opened.path / name).stat().st_size for name in sorted(manifest.parts)}
    steps = [json.dumps(step, ensure_ascii=False) for step in opened.preprocessing.describe()]
    lines = [
        f"{manifest.name}: {manifest.modality.value}, of {manifest.created}",
        f"model digest    {opened.model_digest}",
        f"encoder digest  {manifest.parts[ENCODER]}",
        f"reads           {' x '.join(map(str, opened.preprocessing.shape))}",
        *(f"  {step}" for step in steps),
        f"embedding       {embedding.vector_size} values"
        + (", unit norm" if embedding.unit_norm else "")
        + (f", then {embedding.size - embedding.vector_size:,} of a trace" if embedding.vector else ""),
        f"identity        {identity.kind}, {identity.anchors} first and {identity.recent} last references kept"
        if identity.limit is None
        else f"identity        {identity.kind}, moments of up to {identity.limit} references kept",
    ]
    if network is not None:
        lines.append(f"network         {json.dumps(network.model_dump(mode='json'))}")
    lines.append("corpora")
    lines += [f"  {use.name}: {use.people:,} people, {use.samples:,} samples, {use.role}" for use in manifest.corpora]
    policy = None if opened.policy is None else Policy.from_json(opened.policy)
    if policy is None:
        lines.append("policy          none: seal one in before serving")
    else:
        lines.append(
            f"policy          {policy.corpus.people:,} people of {policy.corpus.name}, {policy.impostor} impostors, "
            f"{policy.references} references"
        )
        lines += [
            f"  FAR {row.target_far:g}: threshold {row.threshold:.3f}, FRR {row.frr.value:.2%} "
            f"({row.frr.low:.2%} to {row.frr.high:.2%})"
            for row in policy.table
        ]
    lines.append("parts")
    return lines + [f"  {name}: {size:,} bytes" for name, size in sizes.items()]
