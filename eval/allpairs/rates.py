"""Error rates of a sketch: exact where a threshold lies on the edge of a bin or in a tail, conservative elsewhere.

With G genuine and I impostor trials, failures to acquire among them, and positions u on the grid,

    FAR(t) = #{u_i ≥ t} / I        FRR(t) = (#{u_g < t} + failures) / G

Counts at the edge of a bin are exact. Between edges, a tail gives the exact count where it reaches; elsewhere the count
at the edge that makes the rate higher is given, and said to be a bound. A threshold for a FAR within the tail is exact,
as of sorted scores; further in it is the lowest edge of a bin with a FAR at or below the target: no farther from the
exact threshold than a bin is wide, and never with more false accepts than asked for.
"""

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.allpairs.grid import Grid
from eval.allpairs.sketch import GENUINE, IMPOSTOR, ScoreSketch
from eval.measures.metrics import equal_error_index
from eval.measures.one_side import most_errors

Counts = NDArray[np.int64]


class Rates:
    """Counts and rates of one sketch; thresholds are positions on its grid.

    Attributes
    ----------
    genuine_trials, impostor_trials : all trials, failures to acquire among them.
    genuine_failures, impostor_failures : trials whose probe could not be acquired.
    accepted : int64 (bins + 2,), impostor scores at or above the lower edge of bin 0 (all), 1, …, and above the last.
    rejected : int64 (bins + 2,), genuine trials below the same edges, failures included.

    Raises
    ------
    TrialsError if there is no genuine or no impostor score.
    """

    def __init__(self, sketch: ScoreSketch, grid: Grid) -> None:
        self.sketch, self.grid = sketch, grid
        self._genuine, self._impostor = sketch.counts.sum(axis=1)
        for scores, what in ((self._genuine, "genuine"), (self._impostor, "impostor")):
            if not scores.any():
                raise TrialsError(f"there are no {what} scores", fix="a rate needs genuine and impostor trials")
        self.genuine_failures, self.impostor_failures = map(int, sketch.failed.sum(axis=1))
        self.genuine_trials = int(self._genuine.sum()) + self.genuine_failures
        self.impostor_trials = int(self._impostor.sum()) + self.impostor_failures
        self.accepted: Counts = from_above(self._impostor)
        self.rejected: Counts = from_below(self._genuine) + self.genuine_failures

    def threshold_at_far(self, target: float) -> float:
        """The lowest known position whose FAR is at most `target`, in [0, 1]."""
        allowed, tail = most_errors(target, self.impostor_trials), self.sketch.highest
        values = tail.values
        if allowed < len(values):
            rejected = values[len(values) - 1 - allowed]
            first = int(np.searchsorted(values, rejected, side="right"))
            return float(values[first] if first < len(values) else np.nextafter(rejected, np.float32(np.inf)))
        if tail.is_complete:
            return float(values[0])
        return float(1 + np.argmax(self.accepted[1:] <= allowed))

    def threshold_at_frr(self, target: float) -> float:
        """The highest known position whose FRR is at most `target`, in [0, 1].

        Raises TrialsError if failures to acquire alone exceed it.
        """
        allowed, tail = most_errors(target, self.genuine_trials) - self.genuine_failures, self.sketch.lowest
        if allowed < 0:
            raise TrialsError(f"failures to acquire alone are more than an FRR of {target:g}")
        if allowed < len(tail.values):
            return float(-tail.values[len(tail.values) - 1 - allowed])
        edges = 1 + np.flatnonzero(self.rejected[1:] - self.genuine_failures <= allowed)
        # Where more than that lie below the grid, the highest score that the tail knows is all there is to go by.
        return float(edges[-1]) if len(edges) else float(-tail.values[0])

    def false_accepts(self, position: float) -> tuple[int, bool]:
        """Impostor scores at or above a position, and whether that is exact; if not, it is an upper bound."""
        if self.sketch.highest.knows(position):
            return self.sketch.highest.at_or_above(position), True
        edge = int(np.clip(np.floor(position), 0, self.grid.bins + 1))
        return int(self.accepted[edge]), 0 < edge == position

    def false_rejects(self, position: float) -> tuple[int, bool]:
        """Genuine trials below a position, and whether that is exact; if not, it is an upper bound."""
        tail = self.sketch.lowest
        if -position >= tail.cut:
            below = len(tail.values) - int(np.searchsorted(tail.values, np.float64(-position), side="right"))
            return below + self.genuine_failures, True
        edge = int(np.clip(np.ceil(position), 1, self.grid.bins + 1))  # bin 0 has no lower edge
        return int(self.rejected[edge]), edge == position

    def equal_error(self) -> tuple[float, float]:
        """The EER as of `eval.measures.metrics.equal_error` over the edges of bins, and the position it was read at."""
        far, frr = self.accepted[1:] / self.impostor_trials, self.rejected[1:] / self.genuine_trials
        at = equal_error_index(far, frr)
        return float((far[at] + frr[at]) / 2), float(1 + at)

    def auc(self) -> tuple[float, float]:
        """Area under the ROC with scores of one bin counted as ties, and how far that may be from the exact area."""
        below = np.concatenate([[0], np.cumsum(self._impostor)])[:-1] + self.impostor_failures
        # Python's integers: the products pass 64 bits in a run that is large enough.
        twice = sum(g * (2 * b + i) for g, b, i in self._used(below)) + self.genuine_failures * self.impostor_failures
        tied = sum(g * i for g, _, i in self._used(below))
        pairs = 2 * self.genuine_trials * self.impostor_trials
        return twice / pairs, tied / pairs

    def _used(self, below: Counts) -> list[tuple[int, int, int]]:
        used = np.flatnonzero(self._genuine)
        return list(zip(self._genuine[used].tolist(), below[used].tolist(), self._impostor[used].tolist(), strict=True))

    def d_prime(self) -> float | None:
        """d′ as of `SortedScores`, of scores at the middle of their bins; None where some lie below the grid."""
        if self._genuine[0] or self._impostor[0]:
            return None
        middles = np.arange(self.grid.bins + 1, dtype=np.float64) + 0.5
        (mean_g, spread_g), (mean_i, spread_i) = (
            _mean_and_variance(middles, counts) for counts in (self._genuine, self._impostor)
        )
        spread = np.sqrt((spread_g + spread_i) / 2)
        return float(abs(mean_g - mean_i) / spread) if spread else None

    def by_group(self, edges: Counts) -> tuple[Counts, Counts]:
        """Genuine trials rejected and impostor scores accepted at bins `edges`, by group: int64 (G, T) each."""
        rejected = from_below(self.sketch.counts[GENUINE])[:, edges] + self.sketch.failed[GENUINE][:, None]
        return rejected, from_above(self.sketch.counts[IMPOSTOR])[:, edges]


def from_above(counts: Counts) -> Counts:
    """Counts (…, n) → how many are in each bin or above it, and in none: int64 (…, n + 1)."""
    totals: Counts = np.zeros((*counts.shape[:-1], counts.shape[-1] + 1), np.int64)
    totals[..., :-1] = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    return totals


def from_below(counts: Counts) -> Counts:
    """Counts (…, n) → how many are below each bin, and in all: int64 (…, n + 1)."""
    totals: Counts = np.zeros((*counts.shape[:-1], counts.shape[-1] + 1), np.int64)
    totals[..., 1:] = np.cumsum(counts, axis=-1)
    return totals


def _mean_and_variance(values: NDArray[np.float64], weights: Counts) -> tuple[float, float]:
    mean = float(np.average(values, weights=weights))
    return mean, float(np.average((values - mean) ** 2, weights=weights))
