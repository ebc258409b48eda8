"""Compact templates: count, mean and sum of squared deviations of the references instead of the references.

    n, m = (1/n)·Σ x_i, s = Σ (x_i − m)²        2·d numbers, 76 for d = 38 (Bromley 1993)

Merging n references with k more, of mean m' and squares s' (Chan, Golub & LeVeque 1983):

    m ← m + (m' − m)·k/(n + k)        s ← s + s' + (m' − m)²·n·k/(n + k)

Deviations from the mean, not raw squares: in float32 Σ x² − n·m² would lose a small variance beside a large mean.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and squares, the latter two float32 (d,), read-only; zeros for no reference."""

    count: int
    mean: Array = field(repr=False)
    squares: Array = field(repr=False)

    @classmethod
    def none(cls, size: int) -> Self:
        """Moments of no reference of `size` values."""
        return cls(0, _read_only(np.zeros(size)), _read_only(np.zeros(size)))

    @classmethod
    def of(cls, references: NDArray[np.floating]) -> Self:
        """Moments of references (n, d)."""
        return cls.none(references.shape[1]).with_references(references)

    def with_references(self, new: NDArray[np.floating]) -> Self:
        """Moments of these and `new` references (k, d), merged in float64 and rounded once."""
        if new.ndim != 2 or new.shape[1] != len(self.mean):
            raise ValueError(f"references of shape (k, {len(self.mean)}) expected, not {new.shape}")
        if not len(new):
            return self
        x = new.astype(np.float64)
        total = self.count + len(x)
        shift = x.mean(0) - self.mean
        mean = self.mean + shift * (len(x) / total)
        squares = self.squares + ((x - x.mean(0)) ** 2).sum(0) + shift**2 * (self.count * len(x) / total)
        return type(self)(total, _read_only(mean), _read_only(squares))

    def to_array(self) -> Array:
        """Mean and squares, float32 (2, d)."""
        return np.stack([self.mean, self.squares])

    @classmethod
    def from_array(cls, count: int, values: Array) -> Self:
        """Of what :meth:`to_array` gave. Raises ValueError for values that no references have."""
        mean, squares = values
        if count < 0 or not np.isfinite(values).all() or (squares < 0).any() or (count == 0 and values.any()):
            raise ValueError("no references have these moments")
        return cls(count, _read_only(mean), _read_only(squares))


def _read_only(values: NDArray[np.floating]) -> Array:
    copy = np.array(values, dtype=np.float32, copy=True)
    copy.setflags(write=False)
    return copy
