"""What the curves of one kind of impostor are drawn from: FAR and FRR by threshold, and histograms of the scores.

Both are small whatever the number of trials, so a run that never holds its trials can hand them over as counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from encode.errors import TrialsError
from eval.measures.sorted_scores import ErrorCurve, SortedScores
from eval.trials import Trials
from verify.policy import Rate

FloatArray = NDArray[np.float64]

_CURVE_POINTS = 1000
_DRAWN_POINTS = 400
_BAND_POINTS = 48
_BINS = 2000
_BARS = 100
_TAIL = 0.01
"""Share of either side's scores that may lie beyond the ends of the drawn axis."""


class IntervalAtFar(Protocol):
    """What a band is made of: the stated interval of FRR at a FAR (`eval.resampling.bootstrap`)."""

    def frr_at_far(self, value: float, target: float) -> Rate:
        """Interval of the FRR `value` at the threshold of a FAR."""
        ...


@dataclass(frozen=True)
class Band:
    """Ends of the FRR's interval, `low` and `high`, float64 (K,), at the rates `far`, ascending, float64 (K,)."""

    far: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def along(cls, points: Sequence[tuple[float, float]], intervals: IntervalAtFar) -> "Band":
        """The stated intervals at `points` of a curve, (FAR, FRR) each, FAR ascending."""
        ends = [intervals.frr_at_far(frr, far) for far, frr in points]
        return cls(
            far=np.array([far for far, _ in points]),
            low=np.array([end.low for end in ends]),
            high=np.array([end.high for end in ends]),
        )


@dataclass(frozen=True)
class ScoreHistogram:
    """Counts of genuine and impostor scores, (B,), between ascending `edges`, float64 (B + 1,)."""

    edges: FloatArray
    genuine: NDArray[np.integer]
    impostor: NDArray[np.integer]

    def __post_init__(self) -> None:
        shapes = {self.genuine.shape, self.impostor.shape, (len(self.edges) - 1,)}
        if len(shapes) > 1 or not (np.diff(self.edges) > 0).all():
            raise TrialsError("a histogram has ascending edges, one more than it has counts")

    def bars(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Edges (N + 1,) that leave out the outermost scores, and the densities (N,) of genuine and impostor scores."""
        sums = [np.concatenate([[0.0], np.cumsum(side)]) for side in (self.genuine, self.impostor)]
        shares = [side / max(side[-1], 1) for side in sums]
        last = len(self.edges) - 1
        first = min(int(np.searchsorted(share, _TAIL, side="right")) - 1 for share in shares)
        low, high = self.edges[first], self.edges[min(max(int(np.searchsorted(s, 1 - _TAIL)) for s in shares), last)]
        margin = 0.04 * (high - low)
        edges = np.linspace(low - margin, high + margin, min(_BARS, len(self.edges) - 1) + 1)
        genuine, impostor = (np.diff(np.interp(edges, self.edges, share)) / np.diff(edges) for share in shares)
        return edges, genuine, impostor


@dataclass(frozen=True)
class KindCurves:
    """All that the figures of one kind of impostor need.

    Attributes
    ----------
    curve : FAR and FRR at ascending thresholds; it is thinned for drawing.
    histogram : of the finite scores.
    band : intervals along the curve, or None.
    """

    curve: ErrorCurve
    histogram: ScoreHistogram
    band: Band | None = None


def curves_of(
    genuine: Trials, impostor: Trials, intervals: IntervalAtFar | None = None, *, scores: SortedScores | None = None
) -> KindCurves:
    """The curves of scored trials, exact at each of about 1,000 thresholds; `scores` saves sorting them once more."""
    scores = scores or SortedScores(genuine.scores, impostor.scores)
    band = _band(scores, intervals) if intervals is not None else None
    return KindCurves(scores.curve(_CURVE_POINTS), _histogram(scores), band)


def thin(far: FloatArray, frr: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most 400 points of a curve, evenly along both rates on the normal-deviate scale, so that no bend is lost.

    `far` falls and `frr` rises, both (T,); points without a false accept are left out.
    """
    kept = evenly(far, frr, _DRAWN_POINTS)
    kept = kept[far[kept] > 0]
    return far[kept], frr[kept]


def evenly(far: FloatArray, frr: FloatArray, most: int) -> NDArray[np.intp]:
    """Indices of at most `most` points of a curve, first and last among them, as evenly as in `thin`."""
    along = norm.ppf(np.clip(frr, 1e-12, 1 - 1e-12)) - norm.ppf(np.clip(far, 1e-12, 1 - 1e-12))
    wanted = np.linspace(along[0], along[-1], most)
    return np.unique(np.searchsorted(along, wanted).clip(0, len(along) - 1))


def _band(scores: SortedScores, intervals: IntervalAtFar) -> Band:
    impostor = scores.impostor
    accepted = np.unique(np.geomspace(1, max(0.6 * impostor.size, 1), _BAND_POINTS).astype(np.int64))
    thresholds = np.unique(impostor[impostor.size - accepted])[::-1]
    points = [(scores.far(float(at)), scores.frr(float(at))) for at in thresholds if np.isfinite(at)]
    return Band.along(points, intervals)


def _histogram(scores: SortedScores) -> ScoreHistogram:
    tail = _TAIL / 2
    low = min(float(side[int(tail * (side.size - 1))]) for side in scores.sides)
    high = max(float(side[int(np.ceil((1 - tail) * (side.size - 1)))]) for side in scores.sides)
    margin = 0.04 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    genuine, impostor = (np.diff(np.searchsorted(side, edges, side="left")) for side in scores.sides)
    return ScoreHistogram(edges, genuine, impostor)
