"""A sketch → the block of zero-effort impostors in results.json, every rate with its interval.

Intervals resample the groups of people, each as claimed and as impostors at once (`eval.resampling.bootstrap_group`).
"""

import numpy as np

from eval.allpairs.rates import Rates, from_above
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.task import Work
from eval.allpairs.templates import Templates
from eval.measures.points import Points
from eval.measures.rates import RARE_FARS, REPORTED_FARS, REPORTED_FRRS
from eval.resampling.bootstrap import DEFAULT_REPLICATES, GroupBootstrap
from eval.results.kind_results import KindResults, TrialCounts
from verify.policy import Policy


def measured(
    rates: Rates, templates: Templates, bootstrap: GroupBootstrap, *, policy: Policy | None = None, fte: float = 0.0
) -> KindResults:
    """All rates of a run; `fte` is the share of people who failed to enroll."""
    counts, grid = _counts(rates, templates), rates.grid
    points = Points(counts, bootstrap, _OnGrid(rates), fte, score=grid.score, cut=grid.position)
    eer, position = rates.equal_error()
    floor = rates.genuine_failures / rates.genuine_trials
    return KindResults(
        trials=counts,
        eer=bootstrap.equal_error(eer),
        eer_threshold=grid.score(position),
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


class _OnGrid:
    """The counts of a run as whatever cuts scores; where a count is not exact it is the higher bound."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self.threshold_at_far, self.threshold_at_frr = rates.threshold_at_far, rates.threshold_at_frr

    def false_accepts(self, threshold: float) -> int:
        return self._rates.false_accepts(threshold)[0]

    def false_rejects(self, threshold: float) -> int:
        return self._rates.false_rejects(threshold)[0]
