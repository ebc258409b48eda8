"""Error rates of a set of scores: exact, vectorised, O(n log n).

One direction and one inequality: a score is higher the more genuine it looks, and a claim is accepted iff
``score >= threshold``. With G genuine and I impostor scores (ISO/IEC 19795-1 vocabulary),

    FRR(t) = #{g < t} / G        FAR(t) = #{i >= t} / I

A probe that could not be acquired has score -inf, so that no threshold accepts it: the rates then are FRR and FAR with
the failures to acquire folded in. The same formulas over the acquired probes alone give FNMR and FMR:

    FRR = FTA + FNMR (1 - FTA)   FAR = FMR (1 - FTA)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorCurve:
    """Both rates at every threshold where either changes.

    Attributes
    ----------
    thresholds : float64 (T,), ascending: every distinct finite score, then one value above them all.
    far : float64 (T,) in [0, 1], falling from the share of acquired impostors to 0.
    frr : float64 (T,) in [0, 1], rising from the share of failed genuine probes to 1.
    """

    thresholds: FloatArray
    far: FloatArray
    frr: FloatArray


@dataclass(frozen=True)
class EqualError:
    """Where FAR and FRR meet: `rate` in [0, 1] and the `threshold` it was read at."""

    rate: float
    threshold: float


def checked(scores: NDArray[np.floating], what: str) -> FloatArray:
    """`scores` as a flat float64 array, ascending.

    Raises TrialsError if there are none, if one is NaN or +inf, or if all are failures (-inf).
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise TrialsError(f"{what} scores must be one flat array, found {values.ndim} dimensions")
    if values.size == 0:
        raise TrialsError(f"there are no {what} trials", fix="a rate needs genuine and impostor trials")
    values = np.sort(values)
    if np.isnan(values[-1]) or values[-1] == np.inf:
        raise TrialsError(f"{what} scores hold NaN or +inf")
    if values[-1] == -np.inf:
        raise TrialsError(f"all {values.size} {what} probes failed to be acquired")
    return values


def far_at(impostor: NDArray[np.floating], threshold: float) -> float:
    """Share of impostor scores that `threshold` accepts."""
    return float(np.count_nonzero(np.asarray(impostor) >= threshold) / len(impostor))


def frr_at(genuine: NDArray[np.floating], threshold: float) -> float:
    """Share of genuine scores that `threshold` rejects."""
    return float(np.count_nonzero(np.asarray(genuine) < threshold) / len(genuine))


def fmr_at(impostor: NDArray[np.floating], threshold: float) -> float:
    """FAR among the impostor probes that could be acquired (ISO/IEC 19795-1: false match rate)."""
    return far_at(_acquired(impostor, "impostor"), threshold)


def fnmr_at(genuine: NDArray[np.floating], threshold: float) -> float:
    """FRR among the genuine probes that could be acquired (ISO/IEC 19795-1: false non-match rate)."""
    return frr_at(_acquired(genuine, "genuine"), threshold)


def error_curve(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> ErrorCurve:
    """FAR and FRR at every distinct score; the DET curve plots one against the other, the ROC plots FAR and 1 - FRR."""
    g, i = checked(genuine, "genuine"), checked(impostor, "impostor")
    scores = np.unique(np.concatenate([g, i]))
    scores = scores[np.isfinite(scores)]
    thresholds = np.append(scores, np.nextafter(scores[-1], np.inf))
    return ErrorCurve(
        thresholds=thresholds,
        far=(i.size - np.searchsorted(i, thresholds, side="left")) / i.size,
        frr=np.searchsorted(g, thresholds, side="left") / g.size,
    )


def threshold_at_far(impostor: NDArray[np.floating], target: float) -> float:
    """The smallest impostor score whose FAR is at most `target`; just above the highest one if none is.

    These are the semantics of bob.measure's `far_threshold`: the FAR is never above the target, tied scores are
    accepted or rejected together, and the genuine scores have no say in the threshold.

    Raises TrialsError as `checked` does, or if `target` is outside [0, 1].
    """
    if not 0.0 <= target <= 1.0:
        raise TrialsError(f"a target FAR lies between 0 and 1, not at {target}")
    i = checked(impostor, "impostor")
    finite = i[np.searchsorted(i, -np.inf, side="right") :]
    allowed = _most_errors(target, i.size)
    if allowed >= finite.size:
        return float(finite[0])
    # Accepting any score tied with the first one to be rejected would accept that one too.
    first_accepted = int(np.searchsorted(finite, finite[finite.size - 1 - allowed], side="right"))
    if first_accepted == finite.size:
        return float(np.nextafter(finite[-1], np.inf))
    return float(finite[first_accepted])


def equal_error(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> EqualError:
    """The equal error rate, defined for step functions as in the fingerprint competitions.

    With t1 the last threshold where FRR <= FAR and t2 the first where FRR >= FAR, the rate is the mean of FAR and FRR
    at whichever of the two has the smaller sum (Maio et al., FVC2000, section 4.2; pyeer does the same).
    """
    curve = error_curve(genuine, impostor)
    at = equal_error_index(curve.far, curve.frr)
    return EqualError(rate=float((curve.far[at] + curve.frr[at]) / 2), threshold=float(curve.thresholds[at]))


def equal_error_index(far: FloatArray, frr: FloatArray) -> int:
    """Index of the threshold that the equal error rate is read at; `far` falls and `frr` rises, both (T,)."""
    above = int(np.searchsorted(frr - far, 0.0, side="left"))
    below = int(np.searchsorted(frr - far, 0.0, side="right")) - 1
    if below < 0:
        return above
    if above >= far.size:
        return below
    return below if far[below] + frr[below] <= far[above] + frr[above] else above


def auc(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> float:
    """Area under the ROC: P(genuine score > impostor score) + ½ P(equal), the Mann–Whitney statistic."""
    g, i = checked(genuine, "genuine"), checked(impostor, "impostor")
    below, not_above = np.searchsorted(i, g, side="left"), np.searchsorted(i, g, side="right")
    # Integer sums stay exact where a float mean of ranks would round.
    return float((int(below.sum()) + int(not_above.sum())) / (2 * g.size * i.size))


def _most_errors(target: float, trials: int) -> int:
    """The largest k with k / trials <= target in floating point, so that 29 of 100 is within 0.29."""
    k = min(int(target * trials) + 1, trials)
    while k / trials > target:
        k -= 1
    return k


def _acquired(scores: NDArray[np.floating], what: str) -> FloatArray:
    values = checked(scores, what)
    return values[np.isfinite(values)]
