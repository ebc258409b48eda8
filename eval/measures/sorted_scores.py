"""Both sides of one kind of trial, each sorted once; every rate and threshold is then a binary search.

With G genuine and I impostor scores in ascending order (ISO/IEC 19795-1 vocabulary, `accept iff score >= threshold`),

    FRR(t) = #{g < t} / G        FAR(t) = #{i >= t} / I

are positions of t in the two arrays: O(log n) each. Nothing is merged, so the memory is one copy of the scores. What
needs the whole curve (`curve()`, `auc`) goes over the shorter side in pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from eval.measures.one_side import (
    Scores,
    checked,
    count_below,
    highest_threshold_at_frr,
    lowest_threshold_at_far,
    pieces,
)

FloatArray = NDArray[np.float64]

_PARTS = 1024  # scores compared in one step of a bisection: a step costs about as much as one comparison would


@dataclass(frozen=True)
class ErrorCurve:
    """Both rates at thresholds in ascending order; the DET plots one against the other, the ROC FAR and 1 - FRR.

    Attributes
    ----------
    thresholds : float64 (T,), ascending: every distinct finite score or some of them, then one value above them all.
    far : float64 (T,) in [0, 1], falling from the share of acquired impostors to 0.
    frr : float64 (T,) in [0, 1], rising from the share of failed genuine probes to 1.
    """

    thresholds: FloatArray
    far: FloatArray
    frr: FloatArray


@dataclass(frozen=True)
class EqualError:
    """Where FAR and FRR meet: `rate` in [0, 1] and the `threshold` it was read at."""

    rate: float
    threshold: float


class SortedScores:
    """The scores of genuine trials and of impostor trials of one kind, sorted.

    Parameters
    ----------
    genuine, impostor : float64 or float32 (G,) and (I,), higher = more genuine, -inf = failure to acquire.
    in_place : sort the given arrays themselves instead of a copy; they must be of one of the two types, both the same.

    Attributes
    ----------
    genuine, impostor : the scores in ascending order, -inf first; do not write to them.
    acquired_genuine, acquired_impostor : views of their finite scores.

    Raises
    ------
    TrialsError, naming the side, for no trials, NaN, +inf, more than one dimension, or nothing but failures.
    """

    def __init__(self, genuine: Scores, impostor: Scores, *, in_place: bool = False) -> None:
        self.genuine = checked(genuine, "genuine", in_place=in_place)
        self.impostor = checked(impostor, "impostor", in_place=in_place)
        if self.genuine.dtype != self.impostor.dtype:
            self.genuine, self.impostor = self.genuine.astype(np.float64), self.impostor.astype(np.float64)
        self.acquired_genuine = self.genuine[np.searchsorted(self.genuine, -np.inf, side="right") :]
        self.acquired_impostor = self.impostor[np.searchsorted(self.impostor, -np.inf, side="right") :]

    @property
    def sides(self) -> tuple[Scores, Scores]:
        """The finite scores of both sides, genuine first."""
        return self.acquired_genuine, self.acquired_impostor

    def false_accepts(self, threshold: float) -> int:
        """#{i >= threshold}."""
        return self.impostor.size - int(count_below(self.impostor, threshold))

    def false_rejects(self, threshold: float) -> int:
        """#{g < threshold}, failures to acquire among them."""
        return int(count_below(self.genuine, threshold))

    def far(self, threshold: float) -> float:
        """Share of the impostor trials that `threshold` accepts, in [0, 1]."""
        return self.false_accepts(threshold) / self.impostor.size

    def frr(self, threshold: float) -> float:
        """Share of the genuine trials that `threshold` rejects, in [0, 1]."""
        return self.false_rejects(threshold) / self.genuine.size

    def fmr(self, threshold: float) -> float:
        """False match rate: FAR among the impostor probes that could be acquired; FAR = FMR (1 - FTA)."""
        acquired = self.acquired_impostor
        return (acquired.size - int(count_below(acquired, threshold))) / acquired.size

    def fnmr(self, threshold: float) -> float:
        """False non-match rate: FRR among the genuine probes that could be acquired; FRR = FTA + FNMR (1 - FTA)."""
        return int(count_below(self.acquired_genuine, threshold)) / self.acquired_genuine.size

    def threshold_at_far(self, target: float) -> float:
        """The smallest impostor score whose FAR is at most `target` (`lowest_threshold_at_far`)."""
        return lowest_threshold_at_far(self.impostor, target)

    def threshold_at_frr(self, target: float) -> float:
        """The highest threshold whose FRR is at most `target` (`eval.measures.one_side.highest_threshold_at_frr`)."""
        return highest_threshold_at_frr(self.genuine, target)

    def lowest_frr_at_far(self, target: float) -> float:
        """The lowest FRR of any threshold whose FAR is at most `target`, in [0, 1].

        At 1/100 and 1/1000 these are FMR100 and FMR1000 (Maio et al., FVC2000, section 4.2), and what one reads off a
        ROC curve. `threshold_at_far` lets the impostor scores alone decide, as a threshold that is to be kept must;
        here it may also lie on a genuine score between two impostor scores, which saves the genuine trials there.
        """
        accepted = self.false_accepts(self.threshold_at_far(target))
        if accepted == self.acquired_impostor.size:
            return (self.genuine.size - self.acquired_genuine.size) / self.genuine.size
        highest_rejected = self.acquired_impostor[-1 - accepted]
        return int(np.searchsorted(self.genuine, highest_rejected, side="right")) / self.genuine.size

    def equal_error(self) -> EqualError:
        """The equal error rate, defined for step functions as in the fingerprint competitions.

        With t1 the last threshold where FRR <= FAR and t2 the first where FRR >= FAR, the rate is the mean of FAR and
        FRR at whichever of the two has the smaller sum (Maio et al., FVC2000, section 4.2; pyeer does the same). From
        one score to the next FRR - FAR always rises, so t2 is found by bisection, and t1 is t2 or the score before it.
        """
        crossed = [(side, self._first_crossed(side)) for side in self.sides]
        above = min((float(side[at]) for side, at in crossed if at < side.size), default=self.above_all)
        below = max((float(side[at - 1]) for side, at in crossed if at > 0), default=above)
        sums = {threshold: self.far(threshold) + self.frr(threshold) for threshold in (below, above)}
        at_above = self.far(above) == self.frr(above) or sums[above] < sums[below]
        threshold = above if at_above else below
        return EqualError(rate=sums[threshold] / 2, threshold=threshold)

    def auc(self) -> float:
        """Area under the ROC: P(genuine score > impostor score) + ½ P(equal), the Mann–Whitney statistic, exact.

        Failures to acquire take part as scores below all others.
        """
        pairs = self.genuine.size * self.impostor.size
        if self.genuine.size <= self.impostor.size:
            twice = sum(_twice_below(self.impostor, keys) for keys in pieces(self.genuine))
        else:
            twice = 2 * pairs - sum(_twice_below(self.genuine, keys) for keys in pieces(self.impostor))
        return twice / (2 * pairs)

    def d_prime(self) -> float | None:
        """|μ_g - μ_i| / sqrt((σ_g² + σ_i²) / 2) of the finite scores, >= 0; None where neither side has any spread.

        The distance of the means in pooled standard deviations (Daugman 2000, *Biometric decision landscapes*). It
        sums up the error rates only where the scores of both sides are close to normal.
        """
        (mean_g, variance_g), (mean_i, variance_i) = map(_mean_and_variance, self.sides)
        spread = np.sqrt((variance_g + variance_i) / 2)
        return float(abs(mean_g - mean_i) / spread) if spread else None

    def curve(self, points: int | None = None) -> ErrorCurve:
        """FAR and FRR at every distinct score; with `points`, at no more than about so many of them.

        A thinned curve holds exact rates: of each side, scores at ranks that are evenly spaced on the normal-deviate
        axes of a DET plot, so that both tails stay whole to the last error.
        """
        chosen = list(self.sides)
        if points is not None:
            chosen = [side[_spread_ranks(side.size, max(points // 2, 2))] for side in chosen]
        thresholds = _distinct([*chosen, np.array([self.above_all])])
        far, frr = np.empty(thresholds.size), np.empty(thresholds.size)
        start = 0
        for part in pieces(thresholds):
            here = slice(start, start := start + part.size)
            far[here] = (self.impostor.size - count_below(self.impostor, part)) / self.impostor.size
            frr[here] = count_below(self.genuine, part) / self.genuine.size
        return ErrorCurve(thresholds=thresholds, far=far, frr=frr)

    @property
    def above_all(self) -> float:
        """The lowest threshold that rejects everybody."""
        highest = max(self.genuine[-1], self.impostor[-1])
        return float(np.nextafter(highest, highest.dtype.type(np.inf)))

    def _first_crossed(self, side: Scores) -> int:
        """Index of the first score of `side` where FRR >= FAR, its size if there is none."""
        low, high = 0, side.size
        while low < high:
            step = -(-(high - low) // _PARTS)
            probed = side[low:high:step]
            far = (self.impostor.size - count_below(self.impostor, probed)) / self.impostor.size
            before = int(np.count_nonzero(count_below(self.genuine, probed) / self.genuine.size < far))
            if before == 0:
                return low
            low, high = low + (before - 1) * step + 1, min(low + before * step, high)
        return low


def _twice_below(ascending: Scores, keys: Scores) -> int:
    """Σ over `keys` of #{scores < key} + #{scores <= key}; integers, as a float mean of ranks would round."""
    below = np.searchsorted(ascending, keys, side="left")
    tied = ascending[np.minimum(below, ascending.size - 1)] == keys
    not_above = np.searchsorted(ascending, keys[tied], side="right")
    return 2 * int(below.sum()) + int((not_above - below[tied]).sum())


def _distinct(parts: Sequence[Scores]) -> FloatArray:
    """Every value of `parts` once, float64, ascending; np.unique would hold twice as much."""
    values: FloatArray = np.concatenate(parts, dtype=np.float64)
    values.sort()
    new = np.append(values[1:] != values[:-1], True)
    return values if new.all() else values[new]


def _mean_and_variance(values: Scores) -> tuple[float, float]:
    middle = float(values[values.size // 2])  # sums of distances from it: exactly 0 where all values are equal
    mean = middle + sum(float((part.astype(np.float64) - middle).sum()) for part in pieces(values)) / values.size
    squares = sum(float(np.square(part.astype(np.float64) - mean).sum()) for part in pieces(values))
    return mean, squares / values.size


def _spread_ranks(size: int, points: int) -> NDArray[np.int64]:
    """About `points` ranks below `size`, ascending, first and last among them, even in the normal deviate."""
    if size <= points:
        return np.arange(size)
    end = ndtri(0.5 / size)
    ranks = np.rint(size * ndtr(np.linspace(end, -end, points)) - 0.5).astype(np.int64)
    return np.unique(ranks.clip(0, size - 1))
