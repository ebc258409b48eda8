"""The highest of many values, kept one by one.

A tail holds every value above its `cut`, and nothing else is known below. Where more than `limit` lie above, the cut is
the value of rank limit + 1, so that values tied there are left out together. The tail of two sets joined is

    cut = max(cut_1, cut_2), raised until at most `limit` lie above

which depends on the values alone: any order and any grouping of merges ends in the same tail.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tail:
    """The values above `cut`, float32 ascending, at most `limit` of them."""

    values: Values
    cut: float
    limit: int

    @classmethod
    def of(cls, values: Values, limit: int, cut: float = -np.inf) -> Self:
        """The tail of `values`, float32 in any order, of which those not above `cut` may be missing."""
        above, cut = highest(values, limit, cut)
        return cls(np.sort(above), cut, limit)

    def merge(self, other: "Tail") -> "Tail":
        """The tail of both sets together."""
        if self.limit != other.limit:
            raise ValueError(f"tails of {self.limit} and of {other.limit} values do not merge")
        return Tail.of(np.concatenate([self.values, other.values]), self.limit, max(self.cut, other.cut))

    @property
    def is_complete(self) -> bool:
        """Whether the tail holds every value there was."""
        return self.cut == -np.inf

    def knows(self, position: float) -> bool:
        """Whether the values at or above `position` are all here."""
        return position > self.cut

    def at_or_above(self, position: float) -> int:
        """How many values are at or above `position`, which the tail must know."""
        return len(self.values) - int(np.searchsorted(self.values, position, side="left"))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Tail)
            and (self.cut, self.limit) == (other.cut, other.limit)
            and np.array_equal(self.values, other.values)
        )

    __hash__ = None  # type: ignore[assignment]


class TailBuilder:
    """A tail in the making, of values that arrive in many small or large lots."""

    def __init__(self, limit: int, cut: float = -np.inf) -> None:
        self.limit, self.cut = limit, cut
        self._lots: list[Values] = []
        self._held = 0

    def add(self, values: Values, cut: float = -np.inf) -> None:
        """Values, of which those not above `cut` may be missing."""
        self.cut = max(self.cut, cut)
        self._lots.append(values)
        self._held += len(values)
        if self._held > 4 * self.limit:
            kept, self.cut = highest(np.concatenate(self._lots), self.limit, self.cut)
            self._lots, self._held = [kept], len(kept)

    def tail(self) -> Tail:
        """The tail of all that arrived."""
        return Tail.of(np.concatenate([np.empty(0, np.float32), *self._lots]), self.limit, self.cut)


def highest(values: Values, limit: int, cut: float) -> tuple[Values, float]:
    """The values above `cut`, in no order, and the cut, raised until at most `limit` lie above it."""
    above = values[values > cut]
    if len(above) > limit:
        cut = float(np.partition(above, len(above) - limit - 1)[len(above) - limit - 1])
        above = above[above > cut]
    return above, cut
