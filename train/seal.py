"""From a trained network to a sealed bundle: export, with parity checked; the rest is `train.sealing`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from encode.manifest import EmbeddingSpec
from train.build import embedding_size
from train.embedding import Prepared
from train.export import check_parity, export_onnx
from train.fusion import Matching
from train.identity_choice import Candidate
from train.loop import Trained
from train.networks.residual import count_parameters
from train.pool import Pool
from train.recipe import Recipe
from train.sealing import Draft, Progress, Sealed, draft_manifest, seal_draft
from train.trained_origin import trained_origin


@dataclass(frozen=True)
class Served:
    """A network as it is to be exported, the identity models to choose from, and whether frames are matched.

    `form` is added to the recipe's name where a recipe seals more than one bundle.
    """

    network: nn.Module
    candidates: Sequence[Candidate]
    matching: Matching | None = None
    form: str = ""


def seal(
    recipe: Recipe,
    pool: Pool,
    trained: Trained,
    served: Served,
    bundle: Path,
    *,
    prepared: Prepared | None = None,
    progress: Progress = lambda *_: None,
) -> Sealed:
    """Export, fit what follows the network, and seal at `bundle`; nothing is written there before the end.

    `prepared` are the pool's background people where another form of the recipe has read them already.
    """
    preprocessing, network = recipe.steps(), served.network
    encoder = export_onnx(network, preprocessing.shape)
    parity = check_parity(network, encoder, preprocessing.shape)
    size, vector = embedding_size(network, preprocessing.shape), getattr(network, "vector", None)
    manifest = draft_manifest(
        recipe.name + served.form,
        recipe.modality,
        preprocessing,
        EmbeddingSpec(size=size, unit_norm=bool(network.unit_norm), vector=vector),
        corpora=pool.uses(),
        recipe=recipe.describe(),
    )
    origin = trained_origin(
        manifest,
        preprocessing.shape,
        parameters=count_parameters(network),
        steps=trained.steps,
        best_step=trained.best_step,
        development_eer=trained.best_eer,
        begun=trained.begun,
        parity=parity,
    )
    draft = Draft(
        *(manifest, encoder, origin, served.candidates, recipe.seed),
        matching=served.matching,
        quickened=recipe.network == "pen_residual",
        channels=getattr(network, "learned_channels", None),
    )
    return seal_draft(draft, pool, bundle, prepared=prepared, progress=progress)
