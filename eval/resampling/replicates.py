"""Replicates of FAR and FRR on a grid of thresholds, and the interval of every rate that follows from them.

Whatever is resampled (people, groups of people, trials), B replicates of both rates at T thresholds are all that an
interval needs. Where a rate needs a threshold of its own (FRR at a FAR, FAR at an FRR, EER), it is found again in every
replicate, so that its uncertainty is in the interval. `eval.resampling.logit_interval` turns replicates into ends.

Two models measured on the same people with the same seed and number of replicates are resampled alike: row b of either
one's replicates is the same resample, so that differences between rows are paired (`shared_rows`).
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.resampling.intervals import rule_of_thirty
from eval.resampling.logit_interval import logit_interval
from verify.policy import Rate

DEFAULT_REPLICATES = 2000

FloatArray = NDArray[np.float64]
Indices = NDArray[np.int64]


class Replicates(ABC):
    """The interface that every bootstrap has; a subclass says how rates at a threshold fixed beforehand are resampled.

    Parameters
    ----------
    method : what was resampled, for reports: `bootstrap by person`, …
    confidence : of the intervals.
    grid : float64 (T,), ascending thresholds, the last above every score.
    far, frr : float64 (B, T), the rates of every replicate there; FAR never rises, FRR never falls.
    comparisons : distinct genuine and impostor trials; the rule of three over them is the floor of an interval.
    units : how many independent units (people, trials) stand behind the FRR and the FAR, at least 2 each.
    kept : bool (B',), which of the B' resamples drawn have a row; the others hold no trial of one kind, so no rate.
    smooth : read rates between the thresholds of the grid in a straight line: for grids that leave out many scores.
    """

    def __init__(
        self,
        *,
        method: str,
        confidence: float,
        grid: FloatArray,
        far: FloatArray,
        frr: FloatArray,
        comparisons: tuple[int, int],
        units: tuple[int, int],
        kept: NDArray[np.bool_],
        smooth: bool = False,
    ) -> None:
        self.method = method
        self.confidence = confidence
        self.kept = kept
        self._grid = grid
        self._grid_far, self._grid_frr = far, frr
        self._comparisons, self._units = comparisons, units
        self._smooth = smooth

    @abstractmethod
    def far(self, value: float, threshold: float) -> Rate:
        """Interval of the FAR `value` at a threshold fixed beforehand."""

    @abstractmethod
    def frr(self, value: float, threshold: float) -> Rate:
        """Interval of the FRR `value` at a threshold fixed beforehand."""

    @abstractmethod
    def mean_over_people(self, per_person: FloatArray) -> Rate:
        """Mean of one rate a person, float64 (P,), with its interval; NaN where a person has none.

        Raises TrialsError where people are not what was resampled, or nobody has the rate.
        """

    def frr_at_far(self, value: float, target: float) -> Rate:
        """Interval of the FRR `value` at the threshold of a target FAR, which every replicate finds anew."""
        return self._interval(value, self.frr_replicates(target), (0, 1), floor=0)

    def far_at_frr(self, value: float, target: float) -> Rate:
        """Interval of the FAR `value` at the threshold of a target FRR, which every replicate finds anew."""
        return self._interval(value, self.far_replicates(target), (0, 1), floor=1)

    def equal_error(self, value: float) -> Rate:
        """Interval of the equal error rate `value`."""
        return self._interval(value, self.equal_error_replicates(), (0, 1), floor=int(np.argmin(self._comparisons)))

    def auc(self, value: float) -> Rate:
        """Interval of the area under the ROC `value`.

        Few people make most of the missed area, and a sample may hold none of them: the end is lengthened for that.
        """
        missed = logit_interval(
            1 - value,
            1 - self.auc_replicates(),
            people=min(self._units),
            comparisons=min(self._comparisons),
            confidence=self.confidence,
            skewed=True,
        )
        return Rate(value=value, low=min(1 - missed.high, value), high=max(1 - missed.low, value))

    def frr_replicates(self, target: float) -> FloatArray:
        """float64 (B,), the FRR of every replicate at its own lowest threshold whose FAR is at most `target`."""
        first = np.argmax(self._grid_far <= target, axis=1)
        return self._read(self._grid_frr, self._grid_far, target, np.maximum(first - 1, 0), first, nearest=1)

    def far_replicates(self, target: float) -> FloatArray:
        """float64 (B,), the FAR of every replicate at its own highest threshold whose FRR is at most `target`.

        Where failures to acquire alone make more than `target`, the lowest threshold.
        """
        last = np.maximum((self._grid_frr <= target).sum(axis=1) - 1, 0)
        above = np.minimum(last + 1, self._grid.size - 1)
        return self._read(self._grid_far, self._grid_frr, target, last, above, nearest=0)

    def equal_error_replicates(self) -> FloatArray:
        """float64 (B,), the equal error rate of every replicate at its own threshold."""
        return equal_errors(self._grid_far, self._grid_frr)

    def auc_replicates(self) -> FloatArray:
        """float64 (B,), the area under the ROC of every replicate."""
        far, frr = self._grid_far, self._grid_frr
        # Failures to acquire are accepted at no threshold: the curve's last piece runs straight to (1, 1), as in `auc`.
        area = (1 - far[:, 0]) * (2 - frr[:, 0]) / 2
        area += ((far[:, :-1] - far[:, 1:]) * (2 - frr[:, :-1] - frr[:, 1:])).sum(axis=1) / 2
        return np.clip(area, 0.0, 1.0)

    def _read(
        self, rates: FloatArray, against: FloatArray, target: float, below: Indices, above: Indices, nearest: int
    ) -> FloatArray:
        """`rates` (B, T) where `against` meets `target`, between the columns `below` and `above` (B,)."""
        rows = np.arange(len(rates))
        if not self._smooth:
            stepped: FloatArray = rates[rows, (below, above)[nearest]]
            return stepped
        start, stop = against[rows, below], against[rows, above]
        # Without a step to cross (the first or last column), the share is that of the nearest column.
        share = np.divide(target - start, stop - start, out=np.full(len(rows), float(nearest)), where=stop != start)
        share = np.clip(share, 0.0, 1.0)
        between: FloatArray = (1 - share) * rates[rows, below] + share * rates[rows, above]
        return between

    def _interval(self, value: float, replicates: FloatArray, sides: tuple[int, ...], *, floor: int) -> Rate:
        """`sides`: whose people count, 0 genuine, 1 impostor; `floor`: whose trials bound a rate without errors."""
        return logit_interval(
            value,
            replicates,
            people=min(self._units[side] for side in sides),
            comparisons=self._comparisons[floor],
            confidence=self.confidence,
            design=self._designs[floor],
        )

    @cached_property
    def _designs(self) -> tuple[float, float]:
        """Design effect (Kish 1965) of genuine and impostor trials, each at least 1: how alike trials are.

        The variance of the rate ÷ that of as many independent comparisons, at the threshold where rule of 30's thirty
        errors are seen: a rate without errors shows none of it itself.
        """
        found = []
        for rates, trials, people in zip((self._grid_frr, self._grid_far), self._comparisons, self._units, strict=True):
            mean = rates.mean(axis=0)
            distance = np.where((mean > 0) & (mean < 1), np.abs(mean - min(rule_of_thirty(trials), 0.5)), np.inf)
            at = int(np.argmin(distance))
            if np.isinf(distance[at]):
                found.append(1.0)
                continue
            binomial = mean[at] * (1 - mean[at]) / trials
            found.append(max(float(rates[:, at].var()) * people / (people - 1) / binomial, 1.0))
        return found[0], found[1]


def equal_errors(far: FloatArray, frr: FloatArray) -> FloatArray:
    """float64 (B,), the equal error rate of every row of `far` and `frr` (B, T): `equal_error_index`, row by row."""
    rows, last = np.arange(len(far)), far.shape[1] - 1
    beyond = frr - far
    above, below = (beyond < 0).sum(axis=1), (beyond <= 0).sum(axis=1) - 1
    # Where the curves do not cross inside, both sides are the one threshold nearest to a crossing.
    above, below = np.where(above > last, below, above), np.where(below < 0, above, below)
    sums = np.minimum(far[rows, below] + frr[rows, below], far[rows, above] + frr[rows, above])
    halves: FloatArray = sums / 2
    return halves


def shared_rows(first: Replicates, second: Replicates) -> tuple[Indices, Indices]:
    """Rows of either one's replicates that are the same resamples, int64 (B,) each, in the same order.

    For two models on the same people: `(a.frr_replicates(t)[rows_a] - b.frr_replicates(t)[rows_b])` is paired.
    Right where both were made with the same seed, number of replicates and people; the caller makes sure of that.

    Raises TrialsError if they were drawn in different numbers.
    """
    if len(first.kept) != len(second.kept):
        raise TrialsError("two bootstraps of different numbers of replicates are not paired")
    both = first.kept & second.kept
    rows = [np.cumsum(one.kept)[both] - 1 for one in (first, second)]
    return rows[0], rows[1]
