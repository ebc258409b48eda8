"""Who a comparison trains on and who it measures on, read once for all of its runs."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from encode.errors import CorpusMissing, CorpusOverlap
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.corpora.spec import open_corpus
from train.people_split import Role
from train.pixels import PixelSet
from train.pool import Pool, open_pool
from train.pretrain.unlabelled import unlabelled_corpus
from train.recipe import Recipe
from train.run import load_samples
from train.sealing import Progress
from train.strokes import StrokeSet


@dataclass(frozen=True)
class Setting:
    """What all runs of a comparison share.

    Attributes
    ----------
    corpora, cohort, tests : as every command names them (`eval.corpora.spec`); tests are never trained on.
    references, draws : of the protocol on test corpora.
    replicates : of every bootstrap.
    teacher : embeddings for recipes that learn from a teacher.
    unlabelled : corpora that recipes with `[pretrain]` pre-train on, beside the training people.
    track : where runs are followed (`train.tracking`).
    """

    corpora: tuple[str, ...]
    cohort: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    references: int = 5
    draws: int = 10
    replicates: int = 2000
    teacher: Path | None = None
    unlabelled: tuple[str, ...] = ()
    track: str | None = None


class People:
    """The corpora of a setting, opened; samples are read when first asked for, and kept for the next run.

    Raises CorpusOverlap where somebody in a test corpus may be trained or stopped on.
    """

    def __init__(self, setting: Setting, recipe: Recipe) -> None:
        self.setting = setting
        self.pool: Pool = open_pool(
            setting.corpora,
            setting.cohort,
            modality=recipe.modality,
            hold_out=recipe.hold_out,
            shares=recipe.split,
        )
        for role in (Role.TRAINING, Role.BACKGROUND, Role.POLICY):
            self.pool.part(role)  # raises where nobody is in it: now, not after the first run
        self.tests: list[Corpus] = [open_corpus(spec) for spec in setting.tests]
        further = {row.person for row in self._unlabelled.rows} if setting.unlabelled else set()
        for test in self.tests:
            _require_unseen(test, self.pool, further)
        self._held: dict[Role | None, tuple[str, PixelSet | StrokeSet]] = {}

    def samples(self, role: Role, recipe: Recipe, progress: Progress) -> PixelSet | StrokeSet:
        """The samples of a role's people as the recipe's network reads them."""
        varied = role is Role.TRAINING

        def load() -> PixelSet | StrokeSet:
            return load_samples(self.pool.part(role), recipe, varied=varied, progress=progress)

        return self._kept(role, recipe, varied, load)

    def further(self, recipe: Recipe, progress: Progress) -> PixelSet | StrokeSet | None:
        """Samples to pre-train on where the recipe does and corpora are named for it, else None."""
        specs = self.setting.unlabelled
        if recipe.pretrain is None or not specs:
            return None
        corpus = self._unlabelled
        return self._kept(None, recipe, True, lambda: load_samples(corpus, recipe, varied=True, progress=progress))

    def _kept(
        self, role: Role | None, recipe: Recipe, varied: bool, load: Callable[[], PixelSet | StrokeSet]
    ) -> PixelSet | StrokeSet:
        # Signatures are varied when they are read, by the recipe's seed; faces later, batch by batch.
        drawn = varied and recipe.modality is Modality.SIGNATURE
        variation = (recipe.jitter, recipe.pen_variation, recipe.episodes, recipe.seed) if drawn else ()
        key = repr((recipe.preprocessing, recipe.network, recipe.margin, variation))
        if role not in self._held or self._held[role][0] != key:
            self._held[role] = (key, load())
        return self._held[role][1]

    def training_digest(self, recipe: Recipe) -> str:
        """SHA-256 of all that decides what is trained: the recipe with its seed, and the people."""
        teacher = None if recipe.teacher is None else self._teacher
        further = self._unlabelled.digest if recipe.pretrain is not None and self.setting.unlabelled else None
        return _digest(recipe.describe(), self._corpora, teacher, further)

    @cached_property
    def measures_digest(self) -> str:
        """SHA-256 of all that decides what is measured, the network apart."""
        setting = self.setting
        protocol = (setting.references, setting.draws, setting.replicates)
        return _digest([corpus.digest for corpus in self.pool.cohort], _named(self.tests), protocol)

    @cached_property
    def _corpora(self) -> list[tuple[str, str]]:
        return _named(self.pool.corpora)

    @cached_property
    def _unlabelled(self) -> Corpus:
        return unlabelled_corpus(self.setting.unlabelled, self.pool)

    @cached_property
    def _teacher(self) -> str | None:
        path = self.setting.teacher
        if path is None:
            return None
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise CorpusMissing(f"there is no file {path}", field="teacher", fix="check the path") from error


def _named(corpora: Sequence[Corpus]) -> list[tuple[str, str]]:
    return [(corpus.name, corpus.digest) for corpus in corpora]


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _require_unseen(test: Corpus, pool: Pool, further: set[str]) -> None:
    """People are known by corpus and name: those whom the recipes hold out may be tested on."""
    seen = {person for role, people in pool.people.items() if role is not Role.HELD_OUT for person in people}
    shared = (seen | further) & {f"{test.name}/{person}" for person in test.people}
    if shared:
        raise CorpusOverlap(
            f"{len(shared)} people of {test.name} are among those trained on, stopped by or compared",
            field="test",
            fix="test on other people, or hold them out in every recipe (hold_out)",
        )
