"""One task: the templates of one group of claimed people against every sample, block by block, into a sketch.

Blocks have a shape that follows from the data alone and each is computed by one thread, so that a task gives the same
sketch bit by bit wherever it runs (on processors of one kind: another kind may round the last bit otherwise). It holds
one block of scores and the counts at a time, however many comparisons there are.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from enroll.identity import IdentityModel
from eval.allpairs.grid import Grid
from eval.allpairs.kernel import HISTOGRAMS, MOST_COUNTED, accumulate, add_squares, book, settle, take_genuine
from eval.allpairs.ragged import Ragged
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.tail import Tail, TailBuilder, highest

SAMPLES, TEMPLATES = 1024, 1024
"""Shape of a block, 4 MiB of float32."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Work:
    """All that the tasks of a run need, sent once to whoever works on them.

    Attributes
    ----------
    features, weights : as of `eval.allpairs.factored`, scores being positions on `grid`.
    grid : what scores are counted on.
    edges : int64 (T,), bins at which the scores of each group's people as impostors are summed up; ascending from 0.
    sample_offsets, owner, references, excluded, group_offsets, acting_offsets, failed : as of
        `eval.allpairs.templates`.
    dense : bool (T,), templates that `model` scores itself, from `embeddings`.
    model, embeddings : the identity model, and float32 (N, d); None where no template is dense.
    cut : position from which the tail of the impostor scores is kept one by one.
    tail : most scores that either tail keeps.
    """

    features: Floats
    weights: Floats
    grid: Grid
    edges: NDArray[np.int64]
    sample_offsets: NDArray[np.int64]
    owner: NDArray[np.int32]
    references: Ragged
    excluded: Ragged
    group_offsets: NDArray[np.int64]
    acting_offsets: NDArray[np.int64]
    failed: NDArray[np.int64]
    dense: NDArray[np.bool_]
    model: IdentityModel | None
    embeddings: Floats | None
    cut: float
    tail: int

    @property
    def groups(self) -> int:
        """How many tasks there are."""
        return len(self.group_offsets) - 1

    def comparisons(self, group: int) -> int:
        """Scores of one task; those of samples with their own template are among them, though they are not counted."""
        return int(self.group_offsets[group + 1] - self.group_offsets[group]) * len(self.features)


def run_task(work: Work, group: int) -> ScoreSketch:
    """The sketch of one group of claimed people."""
    templates = np.arange(work.group_offsets[group], work.group_offsets[group + 1])
    dense = work.dense[templates]
    counting = _Counting(work, group)
    for columns in _runs(templates[~dense]):
        counting.factored(columns)
    for template in templates[dense]:
        counting.densely(int(template))
    return counting.sketch()


def _pieces(first: int, last: int, most: int) -> list[slice]:
    """first … last − 1 in pieces of about equal length, none above `most`."""
    count = -(-(last - first) // most)
    ends = [first + (last - first) * piece // count for piece in range(count + 1)] if count else []
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _runs(chosen: NDArray[np.int64]) -> list[slice]:
    """Ascending numbers → the runs of consecutive ones."""
    if not len(chosen):
        return []
    pieces = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    return [slice(int(piece[0]), int(piece[-1]) + 1) for piece in pieces]


class _Counting:
    """The counts of one task in the making; buffers are reused from block to block."""

    def __init__(self, work: Work, group: int) -> None:
        self.work, self.group = work, group
        self.scores = np.empty(SAMPLES * TEMPLATES, np.float32)
        self.terms = np.empty(SAMPLES * TEMPLATES if len(work.weights) > 1 else 0, np.float32)
        self.partial = np.zeros((HISTOGRAMS, work.grid.bins + 1), np.uint32)
        self.booked = np.zeros(len(work.edges), np.uint32)
        self.since = 0
        self.counts = np.zeros((2, work.grid.bins + 1), np.int64)
        self.acting = np.zeros((work.groups, len(work.edges)), np.int64)
        self.genuine = np.empty(SAMPLES * TEMPLATES, np.float32)
        self.skipped = 0
        self.cut = np.float32(work.cut)
        # Room for a whole block beyond what is kept: the kernel need not ask.
        self.tail = np.empty(2 * work.tail + SAMPLES * TEMPLATES, np.float32)
        self.held = 0
        self.lowest = TailBuilder(work.tail)

    def factored(self, templates: slice) -> None:
        """Every sample against a run of templates, as matrix products."""
        work = self.work
        for columns in _pieces(templates.start, templates.stop, TEMPLATES):
            for rows in _pieces(0, len(work.features), SAMPLES):
                shape = (rows.stop - rows.start, columns.stop - columns.start)
                flat = self.scores[: shape[0] * shape[1]]
                features = work.features[rows]
                np.matmul(features, work.weights[0, columns].T, out=flat.reshape(shape))
                for directions in work.weights[1:]:
                    terms = self.terms[: len(flat)]
                    np.matmul(features, directions[columns].T, out=terms.reshape(shape))
                    add_squares(flat, terms)
                self._count(flat.reshape(shape), rows.start, columns.start)

    def densely(self, template: int) -> None:
        """Every sample against one template, by the identity model."""
        work = self.work
        if work.model is None or work.embeddings is None:
            raise ValueError("a dense template needs the model and the embeddings")
        person = work.model.fit(work.embeddings[work.references[template]])
        for rows in _pieces(0, len(work.features), SAMPLES):
            scores = work.model.llr(person, work.embeddings[rows])
            block = self.scores[: len(scores)].reshape(-1, 1)
            block[:, 0] = work.grid.positions(scores)
            self._count(block, rows.start, template)

    def _count(self, block: Floats, top: int, first: int) -> None:
        """Count a block of samples from `top` on against templates from `first` on."""
        self._take_genuine(block, top, first)
        if self.held > 2 * self.work.tail:
            kept, cut = highest(self.tail[: self.held], self.work.tail, float(self.cut))
            self.held, self.cut = len(kept), np.float32(cut)
            self.tail[: self.held] = kept
        if self.since + block.size > MOST_COUNTED:
            self._settle()
        self.since += block.size
        offsets = self.work.acting_offsets
        acting = int(np.searchsorted(offsets, top, side="right")) - 1
        row = 0
        while row < len(block):
            end = min(int(offsets[acting + 1]) - top, len(block))
            part = block[row:end].reshape(-1)
            self.held = accumulate(part, self.partial, self.cut, self.tail, self.held)
            book(self.partial, self.work.edges, self.booked, self.acting[acting])
            row, acting = end, acting + 1

    def _take_genuine(self, block: Floats, top: int, first: int) -> None:
        """Copy the genuine scores out and leave −inf in their place, which is counted in bin 0 and taken off again."""
        work = self.work
        owner = work.owner[first : first + block.shape[1]]
        # Templates and samples are both in the order of their people.
        if work.sample_offsets[owner[0]] >= top + len(block) or work.sample_offsets[owner[-1] + 1] <= top:
            return
        taken, skipped = take_genuine(
            block,
            top,
            owner,
            work.sample_offsets,
            work.excluded.offsets[first : first + block.shape[1] + 1],
            work.excluded.values,
            self.genuine,
        )
        self.skipped += skipped
        positions = self.genuine[:taken].copy()
        np.add.at(self.counts[0], np.clip(positions, 0.0, work.grid.bins).astype(np.int64), 1)
        self.lowest.add(-positions)

    def _settle(self) -> None:
        settle(self.partial, self.counts[1], self.booked)
        self.since = 0

    def sketch(self) -> ScoreSketch:
        """What was counted."""
        self._settle()
        # A person's samples are with the group in which the person is claimed.
        self.counts[1, 0] -= self.skipped
        self.acting[self.group, 0] -= self.skipped
        return ScoreSketch(
            groups=np.array([self.group], np.int64),
            counts=self.counts[:, None, :],
            acting=self.acting,
            failed=self.work.failed[:, self.group : self.group + 1],
            highest=Tail.of(self.tail[: self.held], self.work.tail, float(self.cut)),
            lowest=self.lowest.tail(),
        )
