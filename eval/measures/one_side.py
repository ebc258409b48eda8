"""The scores of one side, genuine or impostor, in ascending order: counts and thresholds by binary search.

FAR(t) = #{i >= t} / I and FRR(t) = #{g < t} / G each need one side only, and so do the thresholds that meet a target.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError

Scores = NDArray[np.floating[Any]]
"""float64 or float32, flat."""

_PIECE = 1 << 16  # scores worked on at a time: what they need besides stays in the processor's cache


def checked(scores: Scores, what: str, *, in_place: bool = False) -> Scores:
    """`scores` in ascending order as a flat array; float32 stays float32, any other type becomes float64.

    `what` names the side in errors. With `in_place` the array itself is sorted, and must be float64 or float32.
    Raises TrialsError if there are none, if one is NaN or +inf, or if all are failures (-inf).
    """
    values = np.asarray(scores)
    if values.dtype != np.float32:
        values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise TrialsError(f"{what} scores must be one flat array, found {values.ndim} dimensions")
    if values.size == 0:
        raise TrialsError(f"there are no {what} trials", fix="a rate needs genuine and impostor trials")
    if in_place:
        values.sort()
    else:
        values = np.sort(values)
    if np.isnan(values[-1]) or values[-1] == np.inf:  # NaN sorts last
        raise TrialsError(f"{what} scores hold NaN or +inf")
    if values[-1] == -np.inf:
        raise TrialsError(f"all {values.size} {what} probes failed to be acquired")
    return values


def count_below(ascending: Scores, thresholds: float | Scores) -> NDArray[np.int64]:
    """#{score < threshold} of each threshold, int64 of their shape."""
    wanted = np.asarray(thresholds, dtype=np.float64)
    if ascending.dtype == np.float32:
        # In the array's own type, as numpy would else convert all of it; rounded up, which changes no comparison.
        with np.errstate(over="ignore"):
            near = wanted.astype(np.float32)
        return np.searchsorted(ascending, np.where(near < wanted, np.nextafter(near, np.float32(np.inf)), near))
    return np.searchsorted(ascending, wanted)


def lowest_threshold_at_far(impostor: Scores, target: float) -> float:
    """The smallest impostor score whose FAR is at most `target`; just above the highest one if none is.

    These are the semantics of bob.measure's `far_threshold`: the FAR is never above the target, tied scores are
    accepted or rejected together, and the genuine scores have no say in the threshold. `impostor` is ascending.

    Raises TrialsError if `target` is outside [0, 1].
    """
    _check_target(target, "FAR")
    finite = impostor[np.searchsorted(impostor, -np.inf, side="right") :]
    allowed = most_errors(target, impostor.size)
    if allowed >= finite.size:
        return float(finite[0])
    # Accepting any score tied with the first one to be rejected would accept that one too.
    first_accepted = int(np.searchsorted(finite, finite[finite.size - 1 - allowed], side="right"))
    if first_accepted == finite.size:
        return _just_above(finite)
    return float(finite[first_accepted])


def highest_threshold_at_frr(genuine: Scores, target: float) -> float:
    """The highest threshold whose FRR is at most `target`: a genuine score; just above the highest for a target of 1.

    These are the semantics of bob.measure's `frr_threshold`: the FRR is never above the target, tied scores are
    accepted or rejected together, and the impostor scores have no say in the threshold. `genuine` is ascending.

    Raises TrialsError if `target` is outside [0, 1], or if failures to acquire alone exceed it.
    """
    _check_target(target, "FRR")
    allowed = most_errors(target, genuine.size)
    if allowed == genuine.size:
        return _just_above(genuine)
    if genuine[allowed] == -np.inf:
        failures = int(np.searchsorted(genuine, -np.inf, side="right"))
        raise TrialsError(
            f"no threshold has an FRR of {target:g} or less: {failures} of {genuine.size} genuine probes failed to be "
            "acquired",
            fix=f"ask for an FRR of at least {failures / genuine.size:g}",
        )
    return float(genuine[allowed])


def pieces(scores: Scores) -> Iterator[Scores]:
    """Views of `scores`, one after the other, small enough to work on in the processor's cache."""
    return (scores[start : start + _PIECE] for start in range(0, scores.size, _PIECE))


def _just_above(ascending: Scores) -> float:
    return float(np.nextafter(ascending[-1], ascending.dtype.type(np.inf)))


def _check_target(target: float, rate: str) -> None:
    if not 0.0 <= target <= 1.0:
        raise TrialsError(f"a target {rate} lies between 0 and 1, not at {target}")


def most_errors(target: float, trials: int) -> int:
    """The largest k with k / trials <= target in floating point, so that 29 of 100 is within 0.29."""
    k = min(int(target * trials) + 1, trials)
    while k / trials > target:
        k -= 1
    return k
