"""Lists of different lengths in two flat arrays, as a million small arrays would cost more than what they hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """List i is ``values[offsets[i]:offsets[i + 1]]``.

    Attributes
    ----------
    offsets : int64 (n + 1,), ascending from 0.
    values : int32 (offsets[-1],).
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, lists: Iterable[NDArray[np.integer]]) -> Self:
        """From arrays of integers."""
        held = [np.asarray(values, np.int32) for values in lists]
        offsets = np.concatenate([[0], np.cumsum([len(values) for values in held])]).astype(np.int64)
        return cls(offsets, np.concatenate([*held, np.empty(0, np.int32)]))

    @classmethod
    def singles(cls, values: NDArray[np.int32]) -> Self:
        """Lists of one value each."""
        return cls(np.arange(len(values) + 1, dtype=np.int64), values)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 (n,)."""
        return np.diff(self.offsets)

    def taken(self, order: NDArray[np.int64]) -> "Ragged":
        """The lists in another order."""
        return Ragged.of(self[int(index)] for index in order)
