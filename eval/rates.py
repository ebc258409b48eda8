"""Scores → every rate of one kind of impostor, with its interval."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.bootstrap import PersonBootstrap
from eval.counted_rate import CountedRate
from eval.intervals import clopper_pearson
from eval.kind_results import KindResults, OperatingPoint, PolicyPoint, TrialCounts
from eval.metrics import auc, equal_error, far_at, frr_at, threshold_at_far
from eval.trials import Trials
from verify.policy import ERRORS_NEEDED, Policy, Rate

REPORTED_FARS = (0.1, 0.075, 0.05, 0.01, 0.001)
"""The false-accept rates of `frr_at_far`; the first three are those of Chopra, Hadsell & LeCun 2005, table 1."""


def measure(
    genuine: Trials,
    impostor: Trials,
    bootstrap: PersonBootstrap,
    *,
    policy: Policy | None = None,
    fars: Sequence[float] = REPORTED_FARS,
    fte: float = 0.0,
) -> KindResults:
    """All rates of `genuine` against `impostor`, which holds impostors of one kind.

    `bootstrap` must be made of the same trials. Raises TrialsError where a rate cannot be computed.
    """
    own = np.array([np.nan]) if genuine.is_anonymous else equal_error_by_person(genuine, impostor)
    found = equal_error(genuine.scores, impostor.scores)
    return KindResults(
        trials=count(genuine, impostor),
        eer=bootstrap.equal_error(found.rate),
        eer_threshold=found.threshold,
        eer_per_person=None if np.isnan(own).all() else bootstrap.mean_over_people(own),
        auc=bootstrap.auc(auc(genuine.scores, impostor.scores)),
        frr_at_far=tuple(operating_point(genuine, impostor, bootstrap, far, fte=fte) for far in fars),
        at_policy=tuple(
            PolicyPoint(
                target_far=row.target_far,
                beyond_evidence=policy.beyond_evidence(row),
                achieved_far=counted_far(impostor, row.threshold, bootstrap.far),
                frr=counted_frr(genuine, row.threshold, bootstrap.frr),
                **_match_rates(genuine, impostor, row.threshold, bootstrap, fte),
            )
            for row in policy.table
        )
        if policy
        else (),
    )


def operating_point(
    genuine: Trials, impostor: Trials, bootstrap: PersonBootstrap, far: float, *, fte: float = 0.0
) -> OperatingPoint:
    """FRR at the threshold whose FAR on these trials is at most `far`; `fte` is the share that failed to enroll."""
    threshold = threshold_at_far(impostor.scores, far)
    return OperatingPoint(
        far=far,
        achieved_far=counted_far(impostor, threshold, bootstrap.far),
        frr=counted_frr(genuine, threshold, lambda value, _: bootstrap.frr_at_far(value, far)),
        beyond_evidence=not supports(impostor, far),
        **_match_rates(genuine, impostor, threshold, bootstrap, fte),
    )


def counted_far(impostor: Trials, threshold: float, interval: Callable[[float, float], Rate]) -> CountedRate:
    """FAR at a threshold with the interval that `interval(value, threshold)` states."""
    return counted(int(np.count_nonzero(impostor.scores >= threshold)), impostor, threshold, interval)


def counted_frr(genuine: Trials, threshold: float, interval: Callable[[float, float], Rate]) -> CountedRate:
    """FRR at a threshold with the interval that `interval(value, threshold)` states."""
    return counted(int(np.count_nonzero(genuine.scores < threshold)), genuine, threshold, interval)


def counted(errors: int, trials: Trials, threshold: float, interval: Callable[[float, float], Rate]) -> CountedRate:
    """`errors` of `trials` as a rate; the exact ends are over distinct comparisons, as draws add no evidence."""
    rate = interval(errors / len(trials), threshold)
    distinct = round(trials.comparisons * rate.value)
    exact = clopper_pearson(distinct, trials.comparisons)
    return CountedRate(
        value=rate.value,
        low=rate.low,
        high=rate.high,
        errors=errors,
        trials=len(trials),
        clopper_pearson=(exact.low, exact.high),
    )


def _match_rates(
    genuine: Trials, impostor: Trials, threshold: float, bootstrap: PersonBootstrap, fte: float
) -> dict[str, Any]:
    """The fields of `Threshold`: FAR and FRR without failures to acquire, and with failures to enroll."""
    far = bootstrap.far(far_at(impostor.scores, threshold), threshold)
    frr = bootstrap.frr(frr_at(genuine.scores, threshold), threshold)
    usable = 1 - impostor.failures / len(impostor)
    fta = genuine.failures / len(genuine)
    return {
        "threshold": threshold,
        "fmr": Rate(**{end: min(value / usable, 1.0) for end, value in far.model_dump().items()}),
        "fnmr": Rate(**{end: max((value - fta) / (1 - fta), 0.0) for end, value in frr.model_dump().items()}),
        "gfar": far.value * (1 - fte) if fte else None,
        "gfrr": fte + (1 - fte) * frr.value if fte else None,
    }


def supports(impostor: Trials, far: float) -> bool:
    """Whether there are the 30 / `far` distinct impostor comparisons that the rule of 30 asks for."""
    return impostor.comparisons * far >= ERRORS_NEEDED * (1 - 1e-9)


def count(genuine: Trials, impostor: Trials) -> TrialCounts:
    """What stands behind the rates."""
    return TrialCounts(
        genuine=len(genuine),
        impostor=len(impostor),
        people=None if genuine.is_anonymous else int(np.union1d(genuine.claimed, impostor.claimed).size),
        genuine_probes=genuine.probes,
        impostor_probes=impostor.probes,
        genuine_comparisons=genuine.comparisons,
        impostor_comparisons=impostor.comparisons,
        genuine_failures=genuine.failures,
        impostor_failures=impostor.failures,
    )


def equal_error_by_person(genuine: Trials, impostor: Trials) -> NDArray[np.float64]:
    """Each claimed person's own EER, float64 (P,), by ascending person index; NaN where it cannot be computed.

    Every enrolment has a threshold of its own: a person's rate is the mean over the draws of references, as in the
    signature competitions (Yeung et al. 2004). Set after the fact on the very trials, such a threshold shows what
    normalisation could still gain, not what a service would do.
    """
    people = np.union1d(genuine.claimed, impostor.claimed)
    rates: list[list[float]] = [[] for _ in people]
    for draw in np.union1d(genuine.draw, impostor.draw):
        own = zip(genuine.of_draw(draw).by_person(people), impostor.of_draw(draw).by_person(people), strict=True)
        for found, (own_genuine, own_impostor) in zip(rates, own, strict=True):
            with suppress(TrialsError):  # no trials, or none but failures: this enrolment has no curve
                found.append(equal_error(own_genuine, own_impostor).rate)
    return np.array([np.mean(found) if found else np.nan for found in rates])
