"""From corpora and a recipe to a sealed bundle: open the corpora, divide their people, train, seal (`train.seal`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from encode.bundle import Bundle
from encode.errors import TrainingError
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus
from train.build import build_network, embedding_size
from train.compact import compacted
from train.distributed import Ranks
from train.episode_trainer import train_members
from train.identity_choice import Candidate, default_candidates, given_candidates
from train.loop import Trained, Trainer
from train.networks.mirror import MirrorAveraged
from train.networks.pen_residual import PenMembers, WithTrace
from train.pen_set import pen_set
from train.people_split import Role
from train.pixels import PixelSet, load_pixels
from train.pool import Pool, open_pool
from train.pretrain.trainer import pretrained
from train.pretrain.unlabelled import unlabelled as unlabelled_samples
from train.pretrain.unlabelled import unlabelled_corpus
from train.recipe import Recipe
from train.seal import Served, seal
from train.sealing import Progress
from train.start import begin_from
from train.strokes import StrokeSet, load_strokes
from train.teacher import require_teacher, teacher_targets
from train.tracking.tracker import Followed, Unfollowed, following


def train_bundle(
    recipe: Recipe,
    specs: Sequence[str],
    bundle: Path,
    work: Path,
    *,
    cohort: Sequence[str] = (),
    teacher: Path | None = None,
    start: Path | None = None,
    unlabelled: Sequence[str] = (),
    track: str | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    progress: Progress = lambda *_: None,
) -> Bundle | None:
    """Train `recipe` on the corpora and seal the result at `bundle`; `work` holds checkpoint and curve.

    `cohort` corpora hold people of whom one sample suffices: they widen the evidence behind the policy's FARs.
    `teacher` is the file of embeddings that a recipe with a teacher learns from (`train.teacher`), `start` the folder
    of a run whose weights this one begins from (`train.start`). `unlabelled` are corpora for pre-training beside the
    training people (`train.pretrain`). `track` is where the run is followed (`train.tracking`). Of several `ranks` the
    first seals; the others return None.

    Raises TrainingError, CorpusError.
    """
    pool = open_pool(specs, cohort, modality=recipe.modality, hold_out=recipe.hold_out, shares=recipe.split)
    progress = progress if ranks.first else _silent
    with following(track if ranks.first else None, f"{recipe.name}-{recipe.seed}", recipe) as followed:
        trained = fit_network(
            *(recipe, pool, work),
            teacher=teacher,
            start=start,
            unlabelled=unlabelled,
            followed=followed,
            ranks=ranks,
            progress=progress,
        )
    if not ranks.first:
        return None
    return seal_trained(recipe, pool, trained, bundle, progress=progress)


def _silent(stage: str, done: int, total: int) -> None:
    """Of all processes but the first."""


def fit_network(
    recipe: Recipe,
    pool: Pool,
    work: Path,
    *,
    teacher: Path | None = None,
    start: Path | None = None,
    unlabelled: Sequence[str] = (),
    followed: Followed | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    progress: Progress = lambda *_: None,
) -> Trained:
    """Train (or continue, or just reload) the network of `recipe` on the pool's training people."""
    require_teacher(recipe.teacher, teacher)
    training = load_samples(pool.part(Role.TRAINING), recipe, varied=True, progress=progress)
    background = load_samples(pool.part(Role.BACKGROUND), recipe, varied=False, progress=progress)
    further = load_unlabelled(unlabelled, pool, recipe, progress=progress)
    return fit_on(
        *(recipe, training, background, work),
        teacher=teacher,
        start=start,
        further=further,
        followed=followed,
        ranks=ranks,
        progress=progress,
    )


def fit_on(
    recipe: Recipe,
    training: PixelSet | StrokeSet,
    background: PixelSet | StrokeSet,
    work: Path,
    *,
    teacher: Path | None = None,
    start: Path | None = None,
    further: PixelSet | StrokeSet | None = None,
    followed: Followed | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    progress: Progress = lambda *_: None,
) -> Trained:
    """As `fit_network`, on samples that have been read (`load_samples`).

    `further` are those to pre-train on instead of the training people's (`load_unlabelled`); `followed` is told losses
    and, at the end, development figures.
    """
    require_teacher(recipe.teacher, teacher)
    watched = followed or Followed(Unfollowed())
    if ranks.world > 1 and (recipe.pretrain is not None or recipe.network == "pen_residual"):
        raise TrainingError(
            "pre-training and the network pen_residual run in one process",
            field="torchrun",
            fix="train without torchrun",
        )

    def report(step: int, steps: int, losses: dict[str, float]) -> None:
        watched.step(step, steps, losses)
        progress("train", step, steps)

    def first(member: Recipe, folder: Path) -> Mapping[str, Tensor] | None:
        if member.pretrain is None:
            return None
        samples = unlabelled_samples(training if further is None else further, member.network)
        return pretrained(member, samples, folder, lambda step, steps, _: progress("pretrain", step, steps))

    if recipe.network != "pen_residual":
        targets = _targets(recipe, training, teacher)
        initial = first(recipe, work)
        trainer = Trainer(recipe, training, background, work, report, initial=initial, targets=targets, ranks=ranks)
        if start is not None:
            begin_from(trainer, start)
        trained = trainer.run()
        watched.curve(work)
        return trained
    if not isinstance(training, StrokeSet) or not isinstance(background, StrokeSet):
        raise TrainingError("the network pen_residual reads pen strokes", field="modality")
    if start is not None:
        raise TrainingError("the network pen_residual begins anew", field="start", fix="train without --start")
    trained = train_members(recipe, training, background, work, report, first)
    watched.curve(work / "member-0")
    return trained


def _targets(recipe: Recipe, training: PixelSet | StrokeSet, teacher: Path | None) -> Tensor | None:
    if teacher is None:
        return None
    if not isinstance(training, PixelSet):
        raise TrainingError("a teacher's embeddings are of faces", field="teacher")
    network = build_network(recipe)
    if not network.unit_norm:  # the cosines of the loss are inner products
        raise TrainingError(
            "a teacher is followed by embeddings of unit norm alone",
            field="network_options",
            fix="write unit_norm = true",
        )
    return teacher_targets(teacher, training.samples, embedding_size(network, recipe.steps().shape))


def load_unlabelled(
    specs: Sequence[str], pool: Pool, recipe: Recipe, *, progress: Progress = lambda *_: None
) -> PixelSet | StrokeSet | None:
    """Samples to pre-train on, the training people's among them; None where no corpus is named for it.

    Raises TrainingError for corpora without a recipe that pre-trains.
    """
    if not specs:
        return None
    if recipe.pretrain is None:
        raise TrainingError("the recipe does not pre-train", field="unlabelled", fix="give it a [pretrain]")
    return load_samples(unlabelled_corpus(specs, pool), recipe, varied=True, progress=progress)


def load_samples(
    corpus: Corpus, recipe: Recipe, *, varied: bool, progress: Progress = lambda *_: None
) -> PixelSet | StrokeSet:
    """The samples of `corpus` as the recipe's network reads them; `varied` if they are to be trained on."""

    def advance(done: int, total: int) -> None:
        progress("read", done, total)

    steps = recipe.steps()
    if isinstance(steps, StrokePreprocessing):
        jitter = recipe.jitter if varied and recipe.network != "pen_residual" else None
        strokes = load_strokes(corpus, steps, jitter, seed=recipe.seed, advance=advance)
        if recipe.network != "pen_residual" or recipe.episodes is not None:
            return strokes
        return pen_set(strokes, recipe.pen_variation.made if varied else 0.0)
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
        return WithTrace(cast(PenMembers, network), learned=recipe.matching.learned > 0.0)
    return MirrorAveraged(network) if recipe.mirror else network


def _candidates(recipe: Recipe) -> list[Candidate]:
    given = recipe.given_identity()
    return default_candidates() if given is None else given_candidates(given)
