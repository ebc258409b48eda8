"""Scores → every rate of one kind of impostor, with its interval."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.measures.metrics import equal_error
from eval.measures.points import Interval, Points, counted_rate, supported
from eval.measures.reliability import calibration
from eval.measures.sorted_scores import SortedScores
from eval.resampling.replicates import Replicates
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import KindResults, TrialCounts
from eval.trials import Trials
from verify.policy import Policy

REPORTED_FARS = (0.1, 0.075, 0.05, 0.01, 0.001)
"""The false-accept rates of `frr_at_far`; the first three are those of Chopra, Hadsell & LeCun 2005, table 1."""

RARE_FARS = (1e-4, 1e-5, 1e-6)
"""Reported as well where there are enough impostor comparisons to expect one false accept."""

REPORTED_FRRS = (0.1, 0.05, 0.01)
"""The false-reject rates of `far_at_frr`."""


def measure(
    genuine: Trials,
    impostor: Trials,
    bootstrap: Replicates,
    *,
    policy: Policy | None = None,
    fars: Sequence[float] | None = None,
    frrs: Sequence[float] = REPORTED_FRRS,
    fte: float = 0.0,
) -> KindResults:
    """All rates of `genuine` against `impostor`, which holds impostors of one kind.

    `bootstrap` must be made of the same trials. `fars` defaults to `reported_fars`; an FRR that failures to acquire
    alone exceed has no row. Raises TrialsError where a rate cannot be computed.
    """
    scores = SortedScores(genuine.scores, impostor.scores)
    own = np.array([np.nan]) if genuine.is_anonymous else equal_error_by_person(genuine, impostor)
    found = scores.equal_error()
    fars = reported_fars(impostor) if fars is None else fars
    points = Points(count(genuine, impostor), bootstrap, scores, fte)
    return KindResults(
        trials=points.counts,
        eer=bootstrap.equal_error(found.rate),
        eer_threshold=found.threshold,
        eer_per_person=None if np.isnan(own).all() else bootstrap.mean_over_people(own),
        auc=bootstrap.auc(scores.auc()),
        d_prime=scores.d_prime(),
        frr_at_far=tuple(points.at_far(far) for far in fars),
        far_at_frr=tuple(points.at_frr(frr) for frr in frrs if genuine.failures / len(genuine) <= frr),
        at_policy=tuple(points.at_row(policy, row) for row in policy.table) if policy else (),
        calibration=calibration(
            scores,
            repeats=(len(genuine) / genuine.comparisons, len(impostor) / impostor.comparisons),
            confidence=bootstrap.confidence,
        ),
    )


def reported_fars(impostor: Trials) -> tuple[float, ...]:
    """`REPORTED_FARS`, and those of `RARE_FARS` for which there are 1 / FAR distinct comparisons."""
    return (*REPORTED_FARS, *(far for far in RARE_FARS if impostor.comparisons * far >= 1 - 1e-9))


def points_of(genuine: Trials, impostor: Trials, bootstrap: Replicates, *, fte: float = 0.0) -> Points:
    """The trials sorted once, to be cut at any number of thresholds; `fte` is the share that failed to enroll."""
    return Points(count(genuine, impostor), bootstrap, SortedScores(genuine.scores, impostor.scores), fte)


def counted_far(impostor: Trials, threshold: float, interval: Interval) -> CountedRate:
    """FAR at a threshold with the interval that `interval(value, threshold)` states."""
    return counted(int(np.count_nonzero(impostor.scores >= threshold)), impostor, threshold, interval)


def counted_frr(genuine: Trials, threshold: float, interval: Interval) -> CountedRate:
    """FRR at a threshold with the interval that `interval(value, threshold)` states."""
    return counted(int(np.count_nonzero(genuine.scores < threshold)), genuine, threshold, interval)


def counted(errors: int, trials: Trials, threshold: float, interval: Interval) -> CountedRate:
    """`errors` of `trials` as a rate, with the interval that `interval(value, threshold)` states."""
    return counted_rate(interval(errors / len(trials), threshold), errors, len(trials), trials.comparisons)


def supports(trials: Trials, rate: float) -> bool:
    """Whether there are the 30 / `rate` distinct comparisons that the rule of 30 asks for."""
    return supported(trials.comparisons, rate)


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

    A curve of a single genuine probe has an EER of half the share of impostors above it, which says nothing of a
    threshold: where an enrolment has one such probe (leave one out), each person's enrolments are taken together.
    """
    people = np.union1d(genuine.claimed, impostor.claimed)
    enrolments = np.unique(genuine.claim.astype(np.int64) << 32 | genuine.draw).size
    if len(genuine) < 2 * enrolments:
        genuine, impostor = (replace(trials, draw=np.zeros_like(trials.draw)) for trials in (genuine, impostor))
    rates: list[list[float]] = [[] for _ in people]
    for draw in np.union1d(genuine.draw, impostor.draw):
        own = zip(genuine.of_draw(draw).by_person(people), impostor.of_draw(draw).by_person(people), strict=True)
        for found, (own_genuine, own_impostor) in zip(rates, own, strict=True):
            with suppress(TrialsError):  # no trials, or none but failures: this enrolment has no curve
                found.append(equal_error(own_genuine, own_impostor).rate)
    return np.array([np.mean(found) if found else np.nan for found in rates])
