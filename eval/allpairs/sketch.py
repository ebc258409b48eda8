"""What is kept of the scores of any number of comparisons, in memory that does not grow with them.

For every group of claimed people: how many genuine and how many impostor scores fell into each bin of the grid, and how
many probes could not be acquired. For every group of people who made impostor probes: how many of their scores lie
between chosen bins. For all of them: the highest impostor and the lowest genuine scores one by one.

All of it are integers and sets of numbers, so that sketches merge exactly: in any order, by any number of workers, the
same scores give the same sketch bit by bit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.allpairs.tail import Tail, TailBuilder

Counts = NDArray[np.int64]

GENUINE, IMPOSTOR = 0, 1
"""First index of `ScoreSketch.counts` and `failed`."""

_ARRAYS = ("groups", "counts", "acting", "failed")


@dataclass(frozen=True, eq=False)
class ScoreSketch:
    """Counts by group and bin, and both tails.

    Attributes
    ----------
    groups : int64 (g,), ascending, which groups of claimed people the rows are of.
    counts : int64 (2, g, bins + 1), genuine then impostor scores in each bin of the grid; bin 0 is below it.
    acting : int64 (G, T), impostor scores by the group of whoever made the probe, of all groups, and by interval
        between bins that the run chose.
    failed : int64 (2, g), trials whose probe could not be acquired; they are in no bin.
    highest : positions of the highest impostor scores.
    lowest : positions of the lowest genuine scores, negated.
    """

    groups: NDArray[np.int64]
    counts: Counts
    acting: Counts
    failed: Counts
    highest: Tail
    lowest: Tail

    def merge(self, other: "ScoreSketch") -> "ScoreSketch":
        """The sketch of both sets of comparisons together, which must have no comparison in common."""
        return merged([self, other])

    @property
    def trials(self) -> Counts:
        """Genuine and impostor trials of each group, failures to acquire among them: int64 (2, g)."""
        totals: Counts = self.counts.sum(axis=2) + self.failed
        return totals

    @property
    def comparisons(self) -> int:
        """Scores computed; failures to acquire need none."""
        return int(self.counts.sum())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ScoreSketch)
            and all(
                np.array_equal(getattr(self, name), getattr(other, name))
                for name in ("groups", "counts", "acting", "failed")
            )
            and self.highest == other.highest
            and self.lowest == other.lowest
        )

    __hash__ = None  # type: ignore[assignment]


def merged(sketches: Iterable[ScoreSketch]) -> ScoreSketch:
    """The sketch of all comparisons of `sketches`, at least one; each is let go once it is added."""
    counts: dict[int, Counts] = {}
    failed: dict[int, Counts] = {}
    acting: Counts | None = None
    tails: tuple[TailBuilder, TailBuilder] | None = None
    for sketch in sketches:
        tails = tails or (TailBuilder(sketch.highest.limit), TailBuilder(sketch.lowest.limit))
        for builder, tail in zip(tails, (sketch.highest, sketch.lowest), strict=True):
            if builder.limit != tail.limit:
                raise ValueError(f"tails of {builder.limit} and of {tail.limit} values do not merge")
            builder.add(tail.values, tail.cut)
        acting = sketch.acting if acting is None else acting + sketch.acting
        for row, group in enumerate(sketch.groups.tolist()):
            if group in counts:
                counts[group] = counts[group] + sketch.counts[:, row]
                failed[group] = failed[group] + sketch.failed[:, row]
            else:
                counts[group], failed[group] = sketch.counts[:, row], sketch.failed[:, row]
    if tails is None or acting is None:
        raise ValueError("no sketches to merge")
    order = sorted(counts)
    return ScoreSketch(
        groups=np.array(order, np.int64),
        counts=np.stack([counts[group] for group in order], axis=1),
        acting=acting,
        failed=np.stack([failed[group] for group in order], axis=1),
        highest=tails[0].tail(),
        lowest=tails[1].tail(),
    )
