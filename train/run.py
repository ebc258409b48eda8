"""From corpora and a recipe to a sealed bundle: train, export, fit the background, choose the identity model, set
thresholds, write the card.

Every step uses what serving uses: background and policy people are embedded by the exported network through the same
`Encoder` that the service runs.
"""

import datetime
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from encode.bundle import Bundle, seal_bundle
from encode.encoder import Encoder
from encode.errors import TrainingError
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus
from eval.development_policy import development_policy
from train.background import fit_background
from train.card import write_card
from train.embedding import embed_samples, prepare_corpus
from train.episode_trainer import train_members
from train.export import check_parity, export_onnx
from train.fusion import fuse, quickened_forgeries
from train.identity_choice import Candidate, calibrate, choose_identity, default_candidates, given_candidates
from train.loop import Trained, Trainer
from train.networks.mirror import MirrorAveraged
from train.networks.pen_residual import PenMembers, WithTrace
from train.networks.residual import count_parameters
from train.people_split import Role
from train.pixels import PixelSet, load_pixels
from train.pool import Pool, open_pool
from train.recipe import Recipe
from train.strokes import StrokeSet, load_strokes

_DRAFT = "# not finished\n"

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def train_bundle(
    recipe: Recipe,
    specs: Sequence[str],
    bundle: Path,
    work: Path,
    *,
    cohort: Sequence[str] = (),
    progress: Progress = lambda *_: None,
) -> Bundle:
    """Train `recipe` on the corpora and seal the result at `bundle`; `work` holds checkpoint and curve.

    `cohort` corpora hold people of whom one sample suffices: they widen the evidence behind the policy's FARs.

    Raises TrainingError, CorpusError.
    """
    pool = open_pool(specs, cohort, modality=recipe.modality, hold_out=recipe.hold_out, shares=recipe.split)
    trained = fit_network(recipe, pool, work, progress=progress)
    return seal_trained(recipe, pool, trained, bundle, progress=progress)


def fit_network(recipe: Recipe, pool: Pool, work: Path, *, progress: Progress = lambda *_: None) -> Trained:
    """Train (or continue, or just reload) the network of `recipe` on the pool's training people."""
    training = load_samples(pool.part(Role.TRAINING), recipe, varied=True, progress=progress)
    background = load_samples(pool.part(Role.BACKGROUND), recipe, varied=False, progress=progress)

    def report(step: int, steps: int, losses: dict[str, float]) -> None:
        progress("train", step, steps)

    if recipe.episodes is None:
        return Trainer(recipe, training, background, work, report).run()
    if not isinstance(training, StrokeSet) or not isinstance(background, StrokeSet):
        raise TrainingError("episodes are of pen strokes", field="episodes")
    return train_members(recipe, training, background, work, report)


def load_samples(
    corpus: Corpus, recipe: Recipe, *, varied: bool, progress: Progress = lambda *_: None
) -> PixelSet | StrokeSet:
    """The samples of `corpus` as the recipe's network reads them; `varied` if they are to be trained on."""

    def advance(done: int, total: int) -> None:
        progress("read", done, total)

    steps = recipe.steps()
    if isinstance(steps, StrokePreprocessing):
        jitter = recipe.jitter if varied and recipe.episodes is None else None
        return load_strokes(corpus, steps, jitter, seed=recipe.seed, advance=advance)
    return load_pixels(corpus, steps, margin=recipe.margin, advance=advance)


def seal_trained(
    recipe: Recipe, pool: Pool, trained: Trained, bundle: Path, *, progress: Progress = lambda *_: None
) -> Bundle:
    """Export, fit what follows the network, and seal at `bundle`; nothing is written there before the end."""
    preprocessing = recipe.steps()
    network = _served(recipe, trained.network)
    encoder = export_onnx(network, preprocessing.shape)
    parity = check_parity(network, encoder, preprocessing.shape)
    size, vector = _embedding_size(network, preprocessing.shape), getattr(network, "vector", None)
    manifest = Manifest(
        format_version=1,
        name=recipe.name,
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
        prepared = prepare_corpus(encode, pool.part(Role.BACKGROUND), progress)
        embedded = embed_samples(encode, prepared, vector=vector)
    measured = choose_identity(embedded, _candidates(recipe), seed=recipe.seed)
    best = measured[0]
    background = fit_background(
        *embedded.own,
        within_shrinkage=best.candidate.within_shrinkage,
        total_shrinkage=best.candidate.total_shrinkage,
    )
    identity, fused = best.candidate.identity.model_copy(update={"calibration": calibrate(best)}), None
    if recipe.matching is not None:
        hurried = embed_samples(encode, quickened_forgeries(prepared, seed=recipe.seed), vector=vector)
        fused = fuse(embedded, hurried, best.candidate, recipe.matching, seed=recipe.seed)
        identity = fused.identity
    manifest = manifest.model_copy(update={"identity": identity})
    with tempfile.TemporaryDirectory() as draft:
        unset = seal_bundle(draft, manifest=manifest, encoder=encoder, background=background, card=_DRAFT)
        policy = development_policy(unset, pool.policy_part(), seed=recipe.seed)
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
    return seal_bundle(
        bundle,
        manifest=manifest,
        encoder=encoder,
        background=background,
        card=card,
        policy=policy.model_dump_json(indent=2).encode(),
    )


def _served(recipe: Recipe, network: nn.Module) -> nn.Module:
    """The trained network as it is exported."""
    if recipe.matching is not None:
        return WithTrace(cast(PenMembers, network))
    return MirrorAveraged(network) if recipe.mirror else network


def _candidates(recipe: Recipe) -> list[Candidate]:
    given = recipe.given_identity()
    return default_candidates() if given is None else given_candidates(given)


def _embedding_size(network: nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad():
        return int(network(torch.zeros(2, *shape)).shape[1])
