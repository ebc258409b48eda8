"""Rates at thresholds, each with its interval and its counts: the rows of results.json.

Wherever scores are held, they are cut in the same way: sorted one by one (`eval.measures.sorted_scores`), or counted on
a grid (`eval.allpairs`), where a cut is a position and not yet a score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from eval.resampling.intervals import clopper_pearson
from eval.resampling.replicates import Replicates
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import FarAtFrr, OperatingPoint, PolicyPoint, TrialCounts
from verify.policy import ERRORS_NEEDED, Policy, PolicyRow, Rate

Interval = Callable[[float, float], Rate]
"""A rate and the score it is read at → the rate with its ends."""


class Scores(Protocol):
    """What cuts scores; see `eval.measures.sorted_scores.SortedScores` for what each is."""

    def threshold_at_far(self, target: float) -> float: ...

    def threshold_at_frr(self, target: float) -> float: ...

    def false_accepts(self, threshold: float) -> int: ...

    def false_rejects(self, threshold: float) -> int: ...


@dataclass(frozen=True)
class Points:
    """Rates at cuts of one kind's trials.

    Attributes
    ----------
    counts : what the rates rest on.
    bootstrap : of the same trials.
    fte : share of people who failed to enroll.
    score, cut : from a cut to the score it stands for, and back.
    """

    counts: TrialCounts
    bootstrap: Replicates
    scores: Scores
    fte: float = 0.0
    score: Callable[[float], float] = float
    cut: Callable[[float], float] = float

    def at_far(self, far: float) -> OperatingPoint:
        """FRR where FAR is at most `far`."""
        cut = self.scores.threshold_at_far(far)
        achieved = self._far(cut, self.bootstrap.far)
        return OperatingPoint(
            far=far,
            achieved_far=achieved,
            frr=self._frr(cut, lambda value, _: self.bootstrap.frr_at_far(value, far)),
            beyond_evidence=not supported(self.counts.impostor_comparisons, far),
            **self._threshold(self.score(cut), achieved, self._frr(cut, self.bootstrap.frr)),
        )

    def at_frr(self, frr: float) -> FarAtFrr:
        """FAR where FRR is at most `frr`. Raises TrialsError where failures to acquire alone exceed it."""
        cut = self.scores.threshold_at_frr(frr)
        achieved = self._frr(cut, self.bootstrap.frr)
        return FarAtFrr(
            target_frr=frr,
            frr=achieved,
            achieved_far=self._far(cut, lambda value, _: self.bootstrap.far_at_frr(value, frr)),
            beyond_evidence=not supported(self.counts.genuine_comparisons, frr),
            **self._threshold(self.score(cut), self._far(cut, self.bootstrap.far), achieved),
        )

    def at_row(self, policy: Policy, row: PolicyRow) -> PolicyPoint:
        """Both rates at a threshold of a policy."""
        cut = self.cut(row.threshold)
        far, frr = self._far(cut, self.bootstrap.far), self._frr(cut, self.bootstrap.frr)
        return PolicyPoint(
            target_far=row.target_far,
            beyond_evidence=policy.beyond_evidence(row),
            achieved_far=far,
            frr=frr,
            **self._threshold(row.threshold, far, frr),
        )

    def _far(self, cut: float, interval: Interval) -> CountedRate:
        errors, trials = self.scores.false_accepts(cut), self.counts.impostor
        rate = interval(errors / trials, self.score(cut))
        return counted_rate(rate, errors, trials, self.counts.impostor_comparisons)

    def _frr(self, cut: float, interval: Interval) -> CountedRate:
        errors, trials = self.scores.false_rejects(cut), self.counts.genuine
        rate = interval(errors / trials, self.score(cut))
        return counted_rate(rate, errors, trials, self.counts.genuine_comparisons)

    def _threshold(self, threshold: float, far: CountedRate, frr: CountedRate) -> dict[str, Any]:
        """The fields of `Threshold`: FAR and FRR without failures to acquire, and with failures to enroll."""
        usable = 1 - self.counts.impostor_failures / self.counts.impostor
        fta = self.counts.genuine_failures / self.counts.genuine
        return {
            "threshold": threshold,
            "fmr": Rate(**{end: min(value / usable, 1.0) for end, value in far.plain.model_dump().items()}),
            "fnmr": Rate(**{end: max((value - fta) / (1 - fta), 0.0) for end, value in frr.plain.model_dump().items()}),
            "gfar": far.value * (1 - self.fte) if self.fte else None,
            "gfrr": self.fte + (1 - self.fte) * frr.value if self.fte else None,
        }


def counted_rate(rate: Rate, errors: int, trials: int, comparisons: int) -> CountedRate:
    """`rate` beside its counts; the exact ends are over distinct comparisons, as draws add no evidence."""
    exact = clopper_pearson(round(comparisons * rate.value), comparisons)
    return CountedRate(**rate.model_dump(), errors=errors, trials=trials, clopper_pearson=(exact.low, exact.high))


def supported(comparisons: int, rate: float) -> bool:
    """Whether there are the 30 / `rate` distinct comparisons that the rule of 30 asks for."""
    return comparisons * rate >= ERRORS_NEEDED * (1 - 1e-9)
