"""Thresholds of each person's own: how far people differ, and what a threshold for each could gain at most.

One threshold for everybody is too strict for some and too lax for others (Doddington et al. 1998, *Sheep, goats, lambs
and wolves*). With t the threshold where the FAR over all trials is at most `far`, and t_p where that of the trials
against person p alone is,

    gain = mean over people FRR_p(t) − mean over people FRR_p(t_p)

Own thresholds are set on the very trials they are reported for, and FAR_p(t_p) is at most `far` where FAR(t) is only so
on average: the gain is what normalisation of scores may hope for, not what a service would have. A person's draws of
references are taken together.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eval.measures.metrics import equal_error, far_at, frr_at, threshold_at_far
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.share_by_person import share_by_person
from eval.results.kind_results import PersonThresholds, ThresholdQuantile
from eval.trials import Trials
from verify.policy import Rate

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that are reported."""

FloatArray = NDArray[np.float64]


def person_thresholds(
    genuine: Trials,
    impostor: Trials,
    *,
    far: float = 0.01,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> PersonThresholds | None:
    """Thresholds by person of `genuine` against `impostor`, which holds impostors of one kind.

    People with fewer than 1 / `far` impostor trials are left out, as no accepted one would be allowed them, and those
    of whom all genuine or all impostor probes failed. None where fewer than two are left.

    Parameters
    ----------
    far : in (0, 1].
    replicates, seed : of the bootstrap by person.
    """
    if genuine.is_anonymous or len(genuine) == 0 or len(impostor) == 0:
        return None
    people = np.intersect1d(genuine.claimed, impostor.claimed)
    pairs = [
        (own, others)
        for own, others in zip(genuine.by_person(people), impostor.by_person(people), strict=True)
        if len(others) * far >= 1 - 1e-9 and np.isfinite(own[-1]) and np.isfinite(others[-1])
    ]
    if len(pairs) < 2:
        return None
    common = threshold_at_far(impostor.scores, far)
    common_eer = equal_error(genuine.scores, impostor.scores).threshold
    at_far = np.array([threshold_at_far(others, far) for _, others in pairs])
    at_eer = np.array([equal_error(own, others).threshold for own, others in pairs])

    def mean(rate: Callable[[FloatArray, float], float], side: int, thresholds: FloatArray) -> Rate:
        values = [rate(pair[side], threshold) for pair, threshold in zip(pairs, thresholds, strict=True)]
        comparisons = (genuine, impostor)[side].comparisons
        return share_by_person(values, np.ones(len(pairs)), comparisons=comparisons, replicates=replicates, seed=seed)

    everybody = np.full(len(pairs), common)
    return PersonThresholds(
        far=far,
        threshold=common,
        people=len(pairs),
        quantiles=tuple(
            ThresholdQuantile(
                share=share,
                at_far=float(np.quantile(at_far, share) - common),
                at_eer=float(np.quantile(at_eer, share) - common_eer),
            )
            for share in SHARES
        ),
        far_common=mean(far_at, 1, everybody),
        far_own=mean(far_at, 1, at_far),
        frr_common=mean(frr_at, 0, everybody),
        frr_own=mean(frr_at, 0, at_far),
    )
