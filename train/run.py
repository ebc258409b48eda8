"""From corpora and a recipe to a sealed bundle: open the corpora, divide their people, train, seal (`train.seal`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch import nn

from encode.bundle import Bundle
from encode.errors import TrainingError
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus
from train.compact import compacted
from train.episode_trainer import train_members
from train.identity_choice import Candidate, default_candidates, given_candidates
from train.loop import Trained, Trainer
from train.networks.mirror import MirrorAveraged
from train.networks.pen_residual import PenMembers, WithTrace
from train.people_split import Role
from train.pixels import PixelSet, load_pixels
from train.pool import Pool, open_pool
from train.recipe import Recipe
from train.seal import Progress, Served, seal
from train.strokes import StrokeSet, load_strokes


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
    """Seal the trained network at `bundle` and, if the recipe asks for it, its compact form at `bundle`-compact."""
    served = Served(_served(recipe, trained.network), _candidates(recipe), recipe.matching)
    sealed = seal(recipe, pool, trained, served, bundle, progress=progress)
    if recipe.compact is not None:
        short = compacted(cast(PenMembers, trained.network), sealed.embedded, recipe.compact)
        beside = bundle.with_name(bundle.name + short.form)
        seal(recipe, pool, trained, short, beside, prepared=sealed.prepared, progress=progress)
    return sealed.bundle


def _served(recipe: Recipe, network: nn.Module) -> nn.Module:
    """The trained network as it is exported."""
    if recipe.matching is not None:
        return WithTrace(cast(PenMembers, network))
    return MirrorAveraged(network) if recipe.mirror else network


def _candidates(recipe: Recipe) -> list[Candidate]:
    given = recipe.given_identity()
    return default_candidates() if given is None else given_candidates(given)
