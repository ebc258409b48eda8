"""From a trained network to a sealed bundle: export, background, identity model, calibration, thresholds, card.

Every step uses what serving uses: background and policy people are embedded by the exported network through the same
`Encoder` that the service runs.
"""

import datetime
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from encode.bundle import Bundle, seal_bundle
from encode.encoder import Encoder
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest
from eval.policies.development_policy import development_policy
from train.card import write_card
from train.embedding import Embedded, Prepared, embed_prepared, prepare_corpus
from train.export import check_parity, export_onnx
from train.fusion import Matching, fuse, quickened_forgeries
from train.identity_choice import Candidate, calibrate, choose_identity
from train.loop import Trained
from train.networks.residual import count_parameters
from train.people_split import Role
from train.pool import Pool
from train.quickened import with_quickened
from train.recipe import Recipe

_DRAFT = "# not finished\n"

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True)
class Served:
    """A network as it is to be exported, the identity models to choose from, and whether frames are matched.

    `form` is added to the recipe's name where a recipe seals more than one bundle.
    """

    network: nn.Module
    candidates: Sequence[Candidate]
    matching: Matching | None = None
    form: str = ""


@dataclass(frozen=True)
class Sealed:
    """A bundle, and the background people it was fitted on: as its encoder reads them, and embedded."""

    bundle: Bundle
    prepared: Prepared
    embedded: Embedded


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
    size, vector = _embedding_size(network, preprocessing.shape), getattr(network, "vector", None)
    manifest = Manifest(
        format_version=1,
        name=recipe.name + served.form,
        modality=recipe.modality,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        model_digest="0" * 64,
        preprocessing=preprocessing.describe(),
        embedding=EmbeddingSpec(size=size, unit_norm=bool(network.unit_norm), vector=vector),
        identity=IdentitySpec(kind="pooled"),
        corpora=pool.uses(),
        recipe=recipe.describe(),
        parts={},
    )
    modelled = size if vector is None else vector
    blank = {"mean": np.zeros(modelled), "total": np.eye(modelled), "within": np.eye(modelled)}
    with tempfile.TemporaryDirectory() as draft:
        bare = seal_bundle(draft, manifest=manifest, encoder=encoder, background=blank, card=_DRAFT)
        encode = Encoder(bare)
        prepared = prepared or prepare_corpus(encode, pool.part(Role.BACKGROUND), progress)
        embedded = embed_prepared(encode, prepared, vector=vector)
    measured = choose_identity(embedded, served.candidates, seed=recipe.seed)
    best = measured[0]
    background = best.candidate.background(embedded)
    identity, fused = best.candidate.identity.model_copy(update={"calibration": calibrate(best)}), None
    if served.matching is not None:
        hurried = embed_prepared(encode, quickened_forgeries(prepared, seed=recipe.seed), vector=vector)
        fused = fuse(embedded, hurried, best.candidate, served.matching, seed=recipe.seed)
        identity = fused.identity
    manifest = manifest.model_copy(update={"identity": identity})
    with tempfile.TemporaryDirectory() as draft:
        unset = seal_bundle(draft, manifest=manifest, encoder=encoder, background=background, card=_DRAFT)
        people, versions = pool.policy_part(), 1
        if recipe.episodes is not None:
            people, versions = with_quickened(people, seed=recipe.seed), 2
        policy = development_policy(unset, people, versions=versions, seed=recipe.seed)
    card = write_card(
        manifest,
        preprocessing.shape,
        parameters=count_parameters(network),
        steps=trained.steps,
        best_step=trained.best_step,
        development_eer=trained.best_eer,
        parity=parity,
        identities=measured,
        fused=fused,
        policy=policy,
    )
    sealed = seal_bundle(
        bundle,
        manifest=manifest,
        encoder=encoder,
        background=background,
        card=card,
        policy=policy.model_dump_json(indent=2).encode(),
    )
    return Sealed(sealed, prepared, embedded)


def _embedding_size(network: nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad():
        return int(network(torch.zeros(2, *shape)).shape[1])
