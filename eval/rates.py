"""Scores → every rate of one kind of impostor, with its interval."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.bootstrap import PersonBootstrap
from eval.metrics import auc, equal_error, far_at, frr_at, threshold_at_far
from eval.results import KindResults, OperatingPoint, PolicyPoint, TrialCounts
from eval.trials import Trials
from verify.policy import ERRORS_NEEDED, Policy

REPORTED_FARS = (0.1, 0.075, 0.05, 0.01, 0.001)
"""The false-accept rates of `frr_at_far`; the first three are those of Chopra, Hadsell & LeCun 2005, table 1."""


def measure(
    genuine: Trials,
    impostor: Trials,
    bootstrap: PersonBootstrap,
    *,
    policy: Policy | None = None,
    fars: Sequence[float] = REPORTED_FARS,
) -> KindResults:
    """All rates of `genuine` against `impostor`, which holds impostors of one kind.

    `bootstrap` must be made of the same trials. Raises TrialsError where a rate cannot be computed.
    """
    own = equal_error_by_person(genuine, impostor)
    found = equal_error(genuine.scores, impostor.scores)
    return KindResults(
        trials=count(genuine, impostor),
        eer=bootstrap.equal_error(found.rate),
        eer_threshold=found.threshold,
        eer_per_person=None if np.isnan(own).all() else bootstrap.mean_over_people(own),
        auc=bootstrap.auc(auc(genuine.scores, impostor.scores)),
        frr_at_far=tuple(operating_point(genuine, impostor, bootstrap, far) for far in fars),
        at_policy=tuple(
            PolicyPoint(
                target_far=row.target_far,
                threshold=row.threshold,
                achieved_far=bootstrap.far(far_at(impostor.scores, row.threshold), row.threshold),
                frr=bootstrap.frr(frr_at(genuine.scores, row.threshold), row.threshold),
                beyond_evidence=policy.beyond_evidence(row),
            )
            for row in policy.table
        )
        if policy
        else (),
    )


def operating_point(genuine: Trials, impostor: Trials, bootstrap: PersonBootstrap, far: float) -> OperatingPoint:
    """FRR at the threshold whose FAR on these trials is at most `far`."""
    threshold = threshold_at_far(impostor.scores, far)
    return OperatingPoint(
        far=far,
        threshold=threshold,
        achieved_far=bootstrap.far(far_at(impostor.scores, threshold), threshold),
        frr=bootstrap.frr_at_far(frr_at(genuine.scores, threshold), far),
        beyond_evidence=not supports(impostor, far),
    )


def supports(impostor: Trials, far: float) -> bool:
    """Whether there are the 30 / `far` distinct impostor comparisons that the rule of 30 asks for."""
    return impostor.comparisons * far >= ERRORS_NEEDED * (1 - 1e-9)


def count(genuine: Trials, impostor: Trials) -> TrialCounts:
    """What stands behind the rates."""
    return TrialCounts(
        genuine=len(genuine),
        impostor=len(impostor),
        people=int(np.union1d(genuine.claimed, impostor.claimed).size),
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
