"""Error rates of a set of scores: exact, vectorised, O(n log n).

One direction and one inequality: a score is higher the more genuine it looks, and a claim is accepted iff
``score >= threshold``. With G genuine and I impostor scores (ISO/IEC 19795-1 vocabulary),

    FRR(t) = #{g < t} / G        FAR(t) = #{i >= t} / I

A probe that could not be acquired has score -inf, so that no threshold accepts it: the rates then are FRR and FAR with
the failures to acquire folded in. The same formulas over the acquired probes alone give FNMR and FMR:

    FRR = FTA + FNMR (1 - FTA)   FAR = FMR (1 - FTA)

Each function here answers one question about unsorted scores. Whoever asks several sorts once, with
`eval.measures.sorted_scores.SortedScores`.
"""

import numpy as np
from numpy.typing import NDArray

from eval.measures.one_side import checked, highest_threshold_at_frr, lowest_threshold_at_far
from eval.measures.sorted_scores import EqualError, ErrorCurve, SortedScores

FloatArray = NDArray[np.float64]


def far_at(impostor: NDArray[np.floating], threshold: float) -> float:
    """Share of impostor scores that `threshold` accepts."""
    return float(np.count_nonzero(np.asarray(impostor) >= threshold) / len(impostor))


def frr_at(genuine: NDArray[np.floating], threshold: float) -> float:
    """Share of genuine scores that `threshold` rejects."""
    return float(np.count_nonzero(np.asarray(genuine) < threshold) / len(genuine))


def fmr_at(impostor: NDArray[np.floating], threshold: float) -> float:
    """FAR among the impostor probes that could be acquired (ISO/IEC 19795-1: false match rate)."""
    values = checked(impostor, "impostor")
    return far_at(values[np.isfinite(values)], threshold)


def fnmr_at(genuine: NDArray[np.floating], threshold: float) -> float:
    """FRR among the genuine probes that could be acquired (ISO/IEC 19795-1: false non-match rate)."""
    values = checked(genuine, "genuine")
    return frr_at(values[np.isfinite(values)], threshold)


def error_curve(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> ErrorCurve:
    """FAR and FRR at every distinct score; the DET curve plots one against the other, the ROC plots FAR and 1 - FRR."""
    return SortedScores(genuine, impostor).curve()


def threshold_at_far(impostor: NDArray[np.floating], target: float) -> float:
    """The smallest impostor score whose FAR is at most `target` (`eval.measures.one_side.lowest_threshold_at_far`).

    Raises TrialsError as `checked` does, or if `target` is outside [0, 1].
    """
    return lowest_threshold_at_far(checked(impostor, "impostor"), target)


def threshold_at_frr(genuine: NDArray[np.floating], target: float) -> float:
    """The highest threshold whose FRR is at most `target` (`eval.measures.one_side.highest_threshold_at_frr`).

    Raises TrialsError as `checked` does, if `target` is outside [0, 1] or if failures to acquire alone exceed it.
    """
    return highest_threshold_at_frr(checked(genuine, "genuine"), target)


def equal_error(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> EqualError:
    """The equal error rate of FVC2000, for step functions (`eval.measures.sorted_scores.SortedScores.equal_error`)."""
    return SortedScores(genuine, impostor).equal_error()


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
    """Area under the ROC: P(genuine score > impostor score) + ½ P(equal) (`SortedScores.auc`)."""
    return SortedScores(genuine, impostor).auc()
