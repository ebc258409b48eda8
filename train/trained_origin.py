"""What a model card says of a network that was trained here."""

from encode.manifest import Manifest
from encode.sample import Modality
from train.card import Origin, seen


def trained_origin(
    manifest: Manifest,
    shape: tuple[int, ...],
    *,
    parameters: int,
    steps: int,
    best_step: int,
    development_eer: float,
    begun: str,
    parity: float,
) -> Origin:
    """`shape` is that of the encoder's input, (C, H, W) of an image or (C, T) of strokes; `begun` what the
    weights began from (`train.loop.Trained`)."""
    return Origin(
        summary=_summary(manifest, shape, parameters),
        people=(
            "People are divided by a fixed hash of their name: the network never saw a development person. Development "
            "people fit the background and the calibration, stop the training, and (others of them) set the thresholds."
        ),
        making=_training(manifest, steps, best_step, development_eer, begun, parity),
    )


def _summary(manifest: Manifest, shape: tuple[int, ...], parameters: int) -> str:
    return (
        f"A {manifest.modality.value} encoder: {parameters:,} trained parameters, input {seen(shape)}, "
        f"embedding of {manifest.embedding.vector_size} values. Trained on {manifest.created}.\n\n"
        "Intended use: research on, and evaluation of, self-hosted verification. **Research use only**: the corpora "
        "below are published for research, and so are weights trained on them."
    )


def _training(manifest: Manifest, steps: int, best_step: int, eer: float, begun: str, parity: float) -> str:
    mirrored = "; it is of the network before mirror images are averaged in" if manifest.recipe.get("mirror") else ""
    compared = (
        "a genuine signature with another one or a forgery"
        if manifest.modality is Modality.SIGNATURE
        else "single samples"
    )
    terms = ", ".join(f"{term['kind']} (weight {term['weight']:g})" for term in manifest.recipe["losses"])
    if manifest.recipe["episodes"]:
        parts = manifest.recipe["episode_weights"]
        terms = ", ".join(f"{name} (weight {parts[name]:g})" for name in ("warping", "embedding", "supcon"))
    form = manifest.name.removeprefix(manifest.recipe["name"])
    if form:
        terms += f"; its form `{form.removeprefix('-')}`, with a projection fitted on background people"
    return (
        "## Training\n\n"
        f"Recipe `{manifest.recipe['name']}`, seed {manifest.recipe['seed']}: {terms}; {steps} steps"
        f"{f' from the weights of {begun} on' if begun else ''}, averaged weights "
        f"of step {best_step}, where the EER over all pairs of {compared} of background people was {eer:.2%} "
        f"(early stopping watched this figure, so it is optimistic{mirrored}). The ONNX file differs from the trained "
        f"network by at most {parity:.1e} at batches of 1, 2 and 64.{_taught(manifest)}"
    )


def _taught(manifest: Manifest) -> str:
    """Whose embeddings the network learned from too: it inherits what they know, and of whom."""
    teacher = manifest.recipe.get("teacher")
    if not teacher:
        return ""
    return (
        f"\n\nIt learned from a teacher's embeddings of the training samples as well (weight {teacher['weight']:g}): "
        f"{teacher['description']}. Whom the teacher was trained on is not known to us beyond that."
    )
