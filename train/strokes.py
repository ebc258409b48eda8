"""Corpus → the features of every signature in memory, forgeries marked, each beside a few jittered views of itself.

Features cost more than the 1993 network's step, so the jittered views are computed once and drawn from.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from encode.errors import SampleError, TrainingError
from encode.sample import StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus
from train.jitter import JitterConfig, jitter
from train.recipe import Recipe


@dataclass(frozen=True)
class StrokeSet:
    """Signatures of a corpus in memory.

    Attributes
    ----------
    views : float32 (N, 1 + jittered views, C, T); the first view is the signature as recorded.
    labels : int64 (N,), index into `people`; of a forgery, the person it imitates.
    forged : bool (N,).
    ids : of the corpus's rows, N of them.
    unusable : signatures of the corpus that could not be read, and are not here.
    sessions : of the corpus's rows, None where it has none.
    """

    views: Tensor
    labels: Tensor
    forged: Tensor
    ids: tuple[str, ...]
    people: tuple[str, ...]
    corpus_of: tuple[str, ...]
    unusable: int
    sessions: tuple[str | None, ...]

    def only(self, people: Iterable[str]) -> "StrokeSet":
        """The signatures of the people named, labelled anew."""
        kept = tuple(sorted(people))
        number = {person: index for index, person in enumerate(kept)}
        of_row = torch.tensor([number.get(self.people[int(label)], -1) for label in self.labels])
        rows = torch.nonzero(of_row >= 0)[:, 0]
        corpus_of = dict(zip(self.people, self.corpus_of, strict=True))
        return StrokeSet(
            views=self.views[rows],
            labels=of_row[rows],
            forged=self.forged[rows],
            ids=tuple(self.ids[int(row)] for row in rows),
            people=kept,
            corpus_of=tuple(corpus_of[person] for person in kept),
            unusable=0,
            sessions=tuple(self.sessions[int(row)] for row in rows),
        )

    def drawn(self, rows: Tensor, recipe: Recipe) -> Tensor:
        """One view of each row, drawn by torch's generator: float32 (B, C, T)."""
        return self.views[rows, torch.randint(self.views.shape[1], rows.shape)]

    def plain(self, rows: Tensor) -> Tensor:
        """The rows as recorded, float32 (B, C, T)."""
        return self.views[rows, 0]


def load_strokes(
    corpus: Corpus,
    preprocessing: StrokePreprocessing,
    config: JitterConfig | None = None,
    *,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> StrokeSet:
    """Read every signature of `corpus`; unusable ones are counted and left out. `advance` gets (done, total).

    Without `config` there are no jittered views. Those of a signature follow from the seed and the row's place alone.
    Raises TrainingError if no signature is usable, or for a sample that is none.
    """
    config = config or JitterConfig(views=0)
    found, kept, unusable = [], [], 0
    index = {person: number for number, person in enumerate(corpus.people)}
    for number, row in enumerate(corpus.rows):
        advance(number + 1, len(corpus))
        try:
            sample = row.load()
            if not isinstance(sample, StrokesSample):
                raise TrainingError("signature training needs pen strokes", field=row.id)
            trajectory = read_strokes(sample)
            generator = np.random.default_rng((seed, number))
            variants = [trajectory, *(jitter(trajectory, config, generator) for _ in range(config.views))]
            found.append(np.stack([preprocessing(variant) for variant in variants]))
        except (SampleError, OSError):
            unusable += 1
            continue
        kept.append(row)
    if not found:
        raise TrainingError(f"none of the {len(corpus)} samples of {corpus.name} can be read", field="corpus")
    return StrokeSet(
        views=torch.from_numpy(np.stack(found)),
        labels=torch.tensor([index[row.person] for row in kept], dtype=torch.int64),
        forged=torch.tensor([row.kind == "forgery" for row in kept]),
        ids=tuple(row.id for row in kept),
        people=corpus.people,
        corpus_of=tuple(person.partition("/")[0] for person in corpus.people),
        unusable=unusable,
        sessions=tuple(row.session for row in kept),
    )
