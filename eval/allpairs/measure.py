"""A sketch → the block of zero-effort impostors in results.json, every rate with its interval.

Intervals resample the groups of people, each as claimed and as impostors at once (`eval.resampling.bootstrap_group`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eval.allpairs.rates import Rates, from_above
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.task import Work
from eval.allpairs.templates import Templates
from eval.measures.rates import RARE_FARS, REPORTED_FARS, REPORTED_FRRS
from eval.resampling.bootstrap import DEFAULT_REPLICATES, GroupBootstrap
from eval.resampling.intervals import clopper_pearson
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import FarAtFrr, KindResults, OperatingPoint, PolicyPoint, TrialCounts
from verify.policy import ERRORS_NEEDED, Policy, PolicyRow, Rate

Interval = Callable[[float, float], Rate]
"""A rate and the threshold it is read at → the rate with its ends."""


def measured(
    rates: Rates, templates: Templates, bootstrap: GroupBootstrap, *, policy: Policy | None = None, fte: float = 0.0
) -> KindResults:
    """All rates of a run; `fte` is the share of people who failed to enroll."""
    points = _Points(rates, _counts(rates, templates), bootstrap, fte)
    eer, position = rates.equal_error()
    floor = rates.genuine_failures / rates.genuine_trials
    return KindResults(
        trials=points.counts,
        eer=bootstrap.equal_error(eer),
        eer_threshold=rates.grid.score(position),
        auc=bootstrap.auc(rates.auc()[0]),
        d_prime=rates.d_prime(),
        frr_at_far=tuple(
            points.at_far(far)
            for far in (*REPORTED_FARS, *RARE_FARS)
            if far in REPORTED_FARS or rates.impostor_trials * far >= 1
        ),
        far_at_frr=tuple(points.at_frr(frr) for frr in REPORTED_FRRS if frr >= floor),
        at_policy=tuple(points.at_row(policy, row) for row in policy.table) if policy else (),
    )


def group_bootstrap(
    rates: Rates,
    sketch: ScoreSketch,
    work: Work,
    templates: Templates,
    *,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> GroupBootstrap:
    """The intervals of a run. Raises TrialsError for fewer than two groups."""
    edges = np.append(work.edges, work.grid.bins + 1)
    rejected, accepted = rates.by_group(edges)
    trials = sketch.trials
    return GroupBootstrap.from_counts(
        work.grid.low + (edges - 1.0) * work.grid.width,
        rejected,
        accepted,
        trials[0],
        trials[1],
        comparisons=(templates.genuine_probes, templates.impostor_comparisons),
        acting_at_or_above=from_above(sketch.acting),
        acting_trials=sketch.acting.sum(axis=1) + templates.acting_failed,
        replicates=replicates,
        seed=seed,
    )


def _counts(rates: Rates, templates: Templates) -> TrialCounts:
    return TrialCounts(
        genuine=rates.genuine_trials,
        impostor=rates.impostor_trials,
        people=templates.people,
        genuine_probes=templates.genuine_probes,
        impostor_probes=templates.samples,
        genuine_comparisons=templates.genuine_probes,
        impostor_comparisons=templates.impostor_comparisons,
        genuine_failures=rates.genuine_failures,
        impostor_failures=rates.impostor_failures,
    )


class _Points:
    """Rates at thresholds, which are positions on the grid here and scores in the results."""

    def __init__(self, rates: Rates, counts: TrialCounts, bootstrap: GroupBootstrap, fte: float) -> None:
        self.rates, self.counts, self.bootstrap, self.fte = rates, counts, bootstrap, fte

    def at_far(self, far: float) -> OperatingPoint:
        position = self.rates.threshold_at_far(far)
        return OperatingPoint(
            far=far,
            achieved_far=self._far(position),
            frr=self._frr(position, lambda value, _: self.bootstrap.frr_at_far(value, far)),
            beyond_evidence=_beyond(self.counts.impostor_comparisons, far),
            **self._at(position),
        )

    def at_frr(self, frr: float) -> FarAtFrr:
        position = self.rates.threshold_at_frr(frr)
        return FarAtFrr(
            target_frr=frr,
            frr=self._frr(position),
            achieved_far=self._far(position, lambda value, _: self.bootstrap.far_at_frr(value, frr)),
            beyond_evidence=_beyond(self.counts.genuine_comparisons, frr),
            **self._at(position),
        )

    def at_row(self, policy: Policy, row: PolicyRow) -> PolicyPoint:
        position = self.rates.grid.position(row.threshold)
        return PolicyPoint(
            target_far=row.target_far,
            beyond_evidence=policy.beyond_evidence(row),
            achieved_far=self._far(position),
            frr=self._frr(position),
            **self._at(position) | {"threshold": row.threshold},
        )

    def _far(self, position: float, interval: Interval | None = None) -> CountedRate:
        errors, _ = self.rates.false_accepts(position)
        rate = (interval or self.bootstrap.far)(errors / self.counts.impostor, self.rates.grid.score(position))
        return _counted(rate, errors, self.counts.impostor, self.counts.impostor_comparisons)

    def _frr(self, position: float, interval: Interval | None = None) -> CountedRate:
        errors, _ = self.rates.false_rejects(position)
        rate = (interval or self.bootstrap.frr)(errors / self.counts.genuine, self.rates.grid.score(position))
        return _counted(rate, errors, self.counts.genuine, self.counts.genuine_comparisons)

    def _at(self, position: float) -> dict[str, Any]:
        """The fields of `Threshold`."""
        far, frr = self._far(position), self._frr(position)
        usable = 1 - self.counts.impostor_failures / self.counts.impostor
        fta = self.counts.genuine_failures / self.counts.genuine
        return {
            "threshold": self.rates.grid.score(position),
            "fmr": Rate(**{end: min(value / usable, 1.0) for end, value in far.plain.model_dump().items()}),
            "fnmr": Rate(**{end: max((value - fta) / (1 - fta), 0.0) for end, value in frr.plain.model_dump().items()}),
            "gfar": far.value * (1 - self.fte) if self.fte else None,
            "gfrr": self.fte + (1 - self.fte) * frr.value if self.fte else None,
        }


def _beyond(comparisons: int, rate: float) -> bool:
    return comparisons * rate < ERRORS_NEEDED * (1 - 1e-9)


def _counted(rate: Rate, errors: int, trials: int, comparisons: int) -> CountedRate:
    exact = clopper_pearson(round(comparisons * rate.value), comparisons)
    return CountedRate(**rate.model_dump(), errors=errors, trials=trials, clopper_pearson=(exact.low, exact.high))
