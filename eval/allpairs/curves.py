"""Counts of a run → what its figures are drawn from: DET and ROC with their band, and the histogram of the scores.

Both rates are exact at the edges of bins. Above the cut of the impostor tail every single score is a threshold as well,
where FAR is exact and FRR is at most what one bin holds too high.
"""

import numpy as np

from eval.allpairs.rates import Rates
from eval.drawings.curves import Band, IntervalAtFar, KindCurves, ScoreHistogram, evenly
from eval.measures.sorted_scores import ErrorCurve

_POINTS = 2000
_BAND_POINTS = 48
_BAND_END = 0.6


def counted_curves(rates: Rates, intervals: IntervalAtFar | None = None) -> KindCurves:
    """The curve at no more than 2,000 thresholds, the whole histogram, and a band where there are `intervals`."""
    return KindCurves(_curve(rates), _histogram(rates), None if intervals is None else _band(rates, intervals))


def _curve(rates: Rates) -> ErrorCurve:
    edges = np.arange(1, rates.grid.bins + 2)
    tail = np.unique(rates.sketch.highest.values).astype(np.float64)
    positions = np.concatenate([edges, tail])
    rejected = rates.rejected[np.clip(np.ceil(positions), 0, rates.grid.bins + 1).astype(np.int64)]
    above = len(rates.sketch.highest.values) - np.searchsorted(rates.sketch.highest.values, tail, side="left")
    far = np.concatenate([rates.accepted[edges], above]) / rates.impostor_trials
    order = np.lexsort((-far, positions))
    chosen = order[evenly(far[order], rejected[order] / rates.genuine_trials, _POINTS)]
    return ErrorCurve(
        thresholds=np.array([rates.grid.score(position) for position in positions[chosen]]),
        far=far[chosen],
        frr=np.array([rates.false_rejects(position)[0] for position in positions[chosen]]) / rates.genuine_trials,
    )


def _histogram(rates: Rates) -> ScoreHistogram:
    """All bins, that of the scores below the grid being drawn as one more."""
    genuine, impostor = rates.sketch.counts.sum(axis=1)
    edges = rates.grid.edges
    return ScoreHistogram(np.concatenate([[edges[0] - rates.grid.width], edges]), genuine, impostor)


def _band(rates: Rates, intervals: IntervalAtFar) -> Band:
    targets = np.geomspace(1 / rates.impostor_trials, _BAND_END, _BAND_POINTS)
    positions = sorted({rates.threshold_at_far(float(target)) for target in targets}, reverse=True)
    far = [rates.false_accepts(position)[0] / rates.impostor_trials for position in positions]
    frr = [rates.false_rejects(position)[0] / rates.genuine_trials for position in positions]
    return Band.along([point for point in zip(far, frr, strict=True) if point[0] > 0], intervals)
