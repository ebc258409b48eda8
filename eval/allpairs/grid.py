"""The grid that scores are counted on: bins of equal width, and the position of a score on it.

    position u = 1 + (score − low) / width        bin = ⌊u⌋

Bin 0 takes all scores below `low`; bins 1 … `bins` cover [low, low + bins · width), above which there is no score. A
score is worked with as its position, float32: the affine map costs nothing, being a part of the matrix product that
makes the scores. ⌊u⌋ ≥ k iff u ≥ k, so that counts at the edge of a bin are exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT_BINS = 32_768
"""Of these the scores of one comparison use a few thousand, which stay in the first-level cache."""


@dataclass(frozen=True)
class Grid:
    """Bins of `width` > 0 from `low` on, in the unit of the scores (nats)."""

    low: float
    width: float
    bins: int = DEFAULT_BINS

    def positions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """u of each score, float64, any shape."""
        return 1.0 + (scores - self.low) / self.width

    def position(self, score: float) -> float:
        """u of one score."""
        return 1.0 + (score - self.low) / self.width

    def score(self, position: float) -> float:
        """The score at a position."""
        return self.low + (float(position) - 1.0) * self.width

    @property
    def edges(self) -> NDArray[np.float64]:
        """Lower edges of bins 1 … bins, then the upper edge of the last: float64 (bins + 1,), ascending scores."""
        return np.arange(self.bins + 1, dtype=np.float64) * self.width + self.low
