"""Which score is enough in a search of N people, so that the whole search keeps to the false-accept rate asked for.

Somebody who is not enrolled is compared with everybody who is. With a rate of α a comparison, at most

    FAR(search) = 1 − (1 − α)^N      so that      α = 1 − (1 − FAR)^(1/N)

where comparisons of one probe are independent; where they depend on each other, as they do, fewer searches than that
have a false accept, and α·N bounds them in any case (Bonferroni). α mostly lies beyond the policy's table, and beyond
what any corpus of impostors shows. There the policy's highest impostor scores are continued by an exponential,

    P(score >= t) = p · exp( −(t − u) / β ),      u the lowest of the extremes that the policy keeps

(Pickands 1975 with shape 0). Likelihood ratios of Gaussians are bounded above, so their true tail is shorter. p is the
upper end of the exact interval of the share above u, and β the upper end of that of an exponential mean,

    β = 2·k·mean(e − u) / χ²(0.025; 2k)

with k as many exceedances as the policy's own interval says that they are worth, because comparisons of few people are
far fewer than they look. Two modalities: both tails, summed as `verify.fused_policy` sums scores.

Of a ratio that is calibrated Markov's inequality says P(LLR >= t) <= exp(−t), as E[exp LLR] = 1 over impostors. Where
few impostors make β large, that is the better bound, and it is taken if it holds of every extreme that was measured, in
each modality; and where a policy holds no summary of its scores, and so no tail to continue.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv

from verify.fused_policy import FusedPolicy, independent_trials
from verify.policy import ERRORS_NEEDED, Policy
from verify.score_summary import ScoreSummary

FloatArray = NDArray[np.float64]

_TAIL = 0.025
_LEAST_EXTREMES = 10
_STEPS = 4
"""Cells of a tail's discrete form in which it halves."""
_LEAST = 1e-30


@dataclass(frozen=True, slots=True)
class SearchThreshold:
    """The rule of one search; `comparison_far` is α, `beyond_evidence` says that it is extrapolated."""

    threshold: float
    target_far: float
    comparison_far: float
    beyond_evidence: bool
    policy_id: str


@dataclass(frozen=True, slots=True)
class _Tail:
    """P(score >= t) = share · exp(−(t − start) / mean) from `start` on."""

    start: float
    share: float
    mean: float

    def lowest_reached_by(self, share: float) -> float:
        return self.start + self.mean * max(0.0, math.log(self.share / share))


def comparison_far(target_far: float, people: int) -> float:
    """α of one comparison in a search of `people`, at least one."""
    return -math.expm1(math.log1p(-target_far) / max(1, people))


class SearchThresholds:
    """Thresholds of searches by policy; safe to use from several threads."""

    def __init__(self) -> None:
        # Two threads that ask for the first time at once compute the same.
        self._sums: dict[str, tuple[FloatArray, FloatArray]] = {}

    def of(self, policy: Policy | FusedPolicy, target_far: float | None, people: int) -> SearchThreshold:
        """The rule for a search of `people`. Raises TargetFarUnavailable, as the policy's table has no such row."""
        target = policy.row_for(target_far).target_far
        alpha = comparison_far(target, people)
        enough = next((row.threshold for row in policy.table if row.target_far <= alpha * (1 + 1e-9)), None)
        threshold = max(policy.table[-1].threshold, self._beyond(policy, alpha)) if enough is None else enough
        beyond = policy.trials.impostor * alpha < ERRORS_NEEDED * (1 - 1e-9)
        return SearchThreshold(threshold, target, alpha, beyond, policy.id)

    def _beyond(self, policy: Policy | FusedPolicy, alpha: float) -> float:
        markov = -math.log(alpha)
        if isinstance(policy, Policy):
            if policy.scores is None:
                return markov
            continued = _tail(policy).lowest_reached_by(alpha)
            return min(continued, markov) if _calibrated(policy) else continued
        if policy.id not in self._sums:
            self._sums[policy.id] = _sums(*(_discrete(part) for part in policy.parts))
        values, reached = self._sums[policy.id]
        continued = float(values[int(np.argmax(reached <= alpha))])
        return min(continued, markov) if all(_calibrated(part) for part in policy.parts) else continued


def _tail(policy: Policy) -> _Tail:
    impostor = _summary(policy)
    extremes = np.array(impostor.extremes)
    row = policy.table[-1]
    trials = independent_trials(row.achieved_far, policy.trials.impostor, policy.interval.confidence)
    held = len(extremes) / impostor.count
    worth = max(1.0, held * trials)
    share = float(betaincinv(worth + 1.0, max(trials - worth, 1e-9), 1.0 - _TAIL))
    if len(extremes) < _LEAST_EXTREMES or extremes[-1] == extremes[0]:
        # Nothing tells how the tail falls: as slowly as that of a calibrated ratio may (Markov).
        return _Tail(float(extremes[0]), max(share, held), 1.0)
    mean = 2.0 * worth * float((extremes - extremes[0]).mean()) / _chi_square_quantile(_TAIL, 2.0 * worth)
    return _Tail(float(extremes[0]), max(share, held), max(mean, 1e-6))


def _chi_square_quantile(share: float, freedom: float) -> float:
    """As ``scipy.stats.chi2.ppf``, without the memory and the time that importing it takes."""
    return 2.0 * float(gammaincinv(0.5 * freedom, share))


def _calibrated(policy: Policy) -> bool:
    """Whether no extreme is reached by a larger share of the impostors than exp(−extreme)."""
    impostor = _summary(policy)
    reaching = np.arange(len(impostor.extremes), 0, -1) / impostor.count
    return bool((reaching <= np.exp(-np.array(impostor.extremes))).all())


def _discrete(policy: Policy) -> tuple[FloatArray, FloatArray]:
    """Values and shares of impostor scores, no score below what it is: those kept, then cells of the tail."""
    impostor, tail = _summary(policy), _tail(policy)
    masses = impostor.rounded_up()
    below = masses.values < tail.start
    edges = np.arange(0.0, math.log(tail.share / _LEAST), math.log(2.0) / _STEPS)
    reached = tail.share * np.exp(-edges)
    values = np.concatenate([masses.values[below], tail.start + tail.mean * np.append(edges[1:], edges[-1] + 1.0)])
    return values, np.concatenate([masses.counts[below] / masses.total, -np.diff(reached, append=0.0)])


def _sums(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The sums of two independent scores, ascending, and the share of sums that reach each; 0 past the last."""
    values = np.add.outer(first[0], second[0]).ravel()
    order = np.argsort(values)
    shares = np.multiply.outer(first[1], second[1]).ravel()[order]
    values = values[order]
    reached = np.append(np.cumsum(shares[::-1])[::-1], 0.0)
    return np.append(values, np.nextafter(values[-1], np.inf)), reached


def _summary(policy: Policy) -> ScoreSummary:
    if policy.scores is None:
        raise ValueError("the policy holds no scores")
    return policy.scores.impostor
