"""The policy of two modalities that answer one call together, computed from the policies of each.

The fused score is the sum of the modalities' log-likelihood ratios. Nobody has been measured in both, so its thresholds
are computed, under one assumption: given the claim's truth, what one modality scores says nothing about what the other
does. With S₁ and S₂ distributed as the two policies' development scores,

    FAR(t) = P(S₁ + S₂ >= t | impostor)  = Σᵢ Σⱼ pᵢ qⱼ [aᵢ + bⱼ >= t]
    FRR(t) = P(S₁ + S₂ <  t | genuine)

exactly, over all pairs of mass points (:mod:`verify.score_summary`, which rounds both rates up). A failure to acquire
is −∞ in the sum: a call in which either modality cannot be read is rejected. The impostors are those of the parts: a
policy fused of random faces and skilled signatures is about somebody who shows their own face and forges a signature.

How far the evidence reaches. The estimate is a two-sample U-statistic. By Hoeffding's decomposition the variance of one
pair is θ(1 − θ) = σ₁² + σ₂² + σ₁₂² at a rate θ, and that of the estimate, over n₁ and n₂ independent trials,

    σ₁²/n₁ + σ₂²/n₂ + σ₁₂²/(n₁ n₂)  <=  θ(1 − θ) / min(n₁, n₂)

So the fused rate is known at least as well as if it had been counted over min(n₁, n₂) trials; in the worst case, where
one modality decides all, no better: the n₁ n₂ pairs are not evidence. The rule of 30 is applied to min(n₁, n₂), and the
intervals are the exact binomial ones (Clopper & Pearson 1934) of min(n₁, n₂) trials, each n being what the part's own
interval at the same target FAR, taken by person, is worth in independent trials. None of this covers the assumption.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from encode.errors import TargetFarUnavailable
from verify.policy import Policy, PolicyInterval, PolicyRow, PolicyTrials, Rate, find_row, row_of
from verify.score_summary import Masses, PolicyScores

METHOD = "binomial, with the trials that the less certain part's interval is worth; modalities taken as independent"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FusedPolicy:
    """Thresholds for the sum of two modalities' ratios; answers what a :class:`~verify.policy.Policy` answers.

    Attributes
    ----------
    parts : the measured policies, by modality.
    table : the target FARs that both parts have, falling, with the thresholds of the sum.
    trials : of the part that has fewer.
    """

    parts: tuple[Policy, Policy]
    table: tuple[PolicyRow, ...]
    default_target_far: float
    trials: PolicyTrials
    interval: PolicyInterval

    @cached_property
    def id(self) -> str:
        """Follows from the ids of the parts and the method: 16 hex digits."""
        named = " ".join(["fused 1", *(part.id for part in self.parts)])
        return hashlib.sha256(named.encode()).hexdigest()[:16]

    @property
    def created(self) -> datetime:
        """When the younger part was measured."""
        return max(part.created for part in self.parts)

    @property
    def target_fars(self) -> tuple[float, ...]:
        """The target FARs a request may name, largest first."""
        return tuple(row.target_far for row in self.table)

    def row_for(self, target_far: float | None) -> PolicyRow:
        """As :meth:`verify.policy.Policy.row_for`."""
        return row_of(self.table, target_far, self.default_target_far)

    def beyond_evidence(self, row: PolicyRow) -> bool:
        """Whether either part's impostor trials are too few to show the row's FAR."""
        return row.beyond_evidence(self.trials.impostor)


def fuse(first: Policy, second: Policy) -> FusedPolicy:
    """The policy for claims on both modalities; the order of the two does not matter.

    Raises
    ------
    TargetFarUnavailable : a policy carries no summary of its scores, or they share no target FAR.
    """
    parts = (first, second) if first.modality < second.modality else (second, first)
    scores = [_scores(part) for part in parts]
    impostor = _Sum(scores[0].impostor.rounded_up(), scores[1].impostor.rounded_up())
    genuine = _Sum(scores[0].genuine.rounded_down(), scores[1].genuine.rounded_down())
    shared = [far for far in parts[0].target_fars if find_row(parts[1].table, far)]
    if not shared:
        raise TargetFarUnavailable(
            f"the policies for {parts[0].modality.value} and {parts[1].modality.value} share no target FAR",
            field="samples",
            fix="send samples of one modality, or measure one of the models on more people",
        )
    asked = max(part.default_target_far for part in parts)
    table = tuple(_row(far, parts, impostor, genuine) for far in shared)
    return FusedPolicy(
        parts=parts,
        table=table,
        default_target_far=(find_row(table, asked) or table[-1]).target_far,
        trials=PolicyTrials(
            genuine=min(part.trials.genuine for part in parts), impostor=min(part.trials.impostor for part in parts)
        ),
        interval=PolicyInterval(method=METHOD, confidence=min(part.interval.confidence for part in parts)),
    )


class _Sum:
    """The distribution of the sum of two independent scores: every pair of mass points, in order of the sum."""

    def __init__(self, first: Masses, second: Masses) -> None:
        sums = np.add.outer(first.values, second.values).ravel()
        pairs = np.multiply.outer(first.counts, second.counts).ravel()
        self.values, place = np.unique(sums, return_inverse=True)
        counts = np.bincount(place, weights=pairs, minlength=len(self.values))
        # Pairs at or above each value, and past the last one, where none is left: whole numbers, so that the sums are
        # exact. Those with a failure to acquire are in the total alone.
        self._reaching: FloatArray = np.append(np.cumsum(counts[::-1])[::-1], 0.0)
        self._total = float(first.total) * float(second.total)

    def share_reaching(self, threshold: float) -> float:
        """P(sum >= threshold)."""
        return self._pairs_reaching(threshold) / self._total

    def share_below(self, threshold: float) -> float:
        """P(sum < threshold), failures to acquire included."""
        return (self._total - self._pairs_reaching(threshold)) / self._total

    def _pairs_reaching(self, threshold: float) -> float:
        return float(self._reaching[np.searchsorted(self.values, threshold, side="left")])

    def lowest_reached_by(self, share: float) -> float:
        """The lowest value that at most `share` of the sums reach; just above the highest if there is none."""
        first = int(np.argmax(self._reaching / self._total <= share))  # it is 0 past the last value
        return float(self.values[first]) if first < len(self.values) else float(np.nextafter(self.values[-1], np.inf))


def independent_trials(rate: Rate, trials: int, confidence: float) -> float:
    """How many independent trials an interval is worth: at most `trials`, at least 1.

    That number n for which the exact binomial interval of ``rate.value`` has the same upper end.
    """

    def excess(n: float) -> float:
        return _binomial(rate.value, n, confidence).high - rate.high

    if excess(trials) >= 0.0:
        return float(trials)
    if excess(1.0) <= 0.0:
        return 1.0
    low, high = 1.0, float(trials)
    # Halving: the upper end falls as n grows. As exact as the numbers are, and spares a service the rest of scipy.
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return middle


def _row(far: float, parts: tuple[Policy, Policy], impostor: _Sum, genuine: _Sum) -> PolicyRow:
    threshold = impostor.lowest_reached_by(far)
    confidence = min(part.interval.confidence for part in parts)
    rows = [(part, part.row_for(far)) for part in parts]
    impostors = min(
        independent_trials(row.achieved_far, part.trials.impostor, part.interval.confidence) for part, row in rows
    )
    genuines = min(independent_trials(row.frr, part.trials.genuine, part.interval.confidence) for part, row in rows)
    return PolicyRow(
        target_far=far,
        threshold=threshold,
        achieved_far=_binomial(impostor.share_reaching(threshold), impostors, confidence),
        frr=_binomial(genuine.share_below(threshold), genuines, confidence),
    )


def _binomial(value: float, trials: float, confidence: float) -> Rate:
    """Clopper & Pearson's interval, continued to numbers of errors and trials that are not whole.

    Less than one error does not keep the rate away from 0.
    """
    errors, tail = value * trials, (1.0 - confidence) / 2.0
    low = float(betaincinv(errors, trials - errors + 1.0, tail)) if errors >= 1.0 else 0.0
    high = float(betaincinv(errors + 1.0, trials - errors, 1.0 - tail)) if errors < trials else 1.0
    return Rate(value=value, low=min(low, value), high=max(high, value))


def _scores(part: Policy) -> PolicyScores:
    if part.scores is None:
        raise TargetFarUnavailable(
            f"the {part.modality.value} model's policy holds no scores to fuse with another modality's",
            field="samples",
            fix=f"send samples of one modality, or measure the {part.modality.value} model again with "
            "`countersign eval run --write-policy`",
        )
    return part.scores
