"""Thresholds that resampling looks at: every score where errors are rare, fewer where they are many.

The lowest genuine and the highest impostor scores decide the rates that are hardest to know, so each of them is a
threshold. Further in, thresholds are spaced by ratios of the number of errors, then evenly. Only intervals are read
from this grid; point estimates are exact.
"""

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError

FloatArray = NDArray[np.float64]

_TAIL = 512
_RATIO = 256
_EVEN = 256
KEPT_WHOLE = _TAIL + _RATIO + _EVEN
"""Of so many distinct scores, every one is a threshold."""


def threshold_grid(genuine: FloatArray, impostor: FloatArray) -> FloatArray:
    """Ascending thresholds, float64 (T,), T at most about 2,000, the last one above every score.

    Scores in any order, -inf allowed. Raises TrialsError if none is finite.
    """
    low, high = _distinct(genuine), _distinct(impostor)[::-1]
    if not low.size and not high.size:
        raise TrialsError("all probes failed to be acquired", fix="a rate needs scores")
    highest = max(side.max() for side in (low, high) if side.size)
    return np.unique(np.concatenate([_thinned(low), _thinned(high), [np.nextafter(highest, np.inf)]]))


def _distinct(scores: FloatArray) -> FloatArray:
    """Finite values, ascending, each once."""
    return np.unique(scores[np.isfinite(scores)])


def _thinned(side: FloatArray) -> FloatArray:
    """The first values of `side` one by one, then ever fewer."""
    if side.size <= KEPT_WHOLE:
        return side
    last = side.size - 1
    ratio = np.geomspace(_TAIL, last, _RATIO).astype(np.int64)
    even = np.linspace(_TAIL, last, _EVEN).astype(np.int64)
    kept: FloatArray = side[np.unique(np.concatenate([np.arange(_TAIL), ratio, even]))]
    return kept
