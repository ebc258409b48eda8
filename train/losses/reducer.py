"""How the losses of many pairs, triplets or anchors become one number.

    mean = Σ w·l / Σ w        nonzero = Σ w·l / Σ w [l > 0]        sum = Σ w·l

Every reducer is a function of three sums (`Tally`), so that a loss may find them without listing its pairs or triplets.
Where nothing is counted a mean is 0, with a gradient of 0.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

ReducerName = Literal["balanced", "balanced_nonzero", "mean", "nonzero", "sum"]


class Tally(NamedTuple):
    """Σ w·l, which has the gradient, the weight of all terms, and how to find the weight of those that cost something,
    which few reducers ask for; all scalars."""

    total: Tensor
    number: Tensor
    paying: Callable[[], Tensor]


Reducer = Callable[[Sequence[Tally]], Tensor]
"""Tallies of one kind of term, or of genuine and of impostor pairs → scalar."""


def tally(values: Tensor, weights: Tensor | None = None) -> Tally:
    """Finite terms (any shape) and how often each counts: bool, or a number of occurrences; once each for None."""
    if weights is None:
        return Tally(values.sum(), torch.tensor(values.numel()), lambda: (values.detach() > 0).sum())
    weighted = values * weights  # a product, not a choice: it takes a third of the time
    return Tally(weighted.sum(), weights.sum(), lambda: (weights * (weighted.detach() > 0)).sum())


def _mean(one: Tally) -> Tensor:
    return one.total / one.number.clamp_min(1)


def _nonzero(one: Tally) -> Tensor:
    return one.total / one.paying().clamp_min(1)


def _sum(one: Tally) -> Tensor:
    return one.total


def _balanced(single: Callable[[Tally], Tensor]) -> Reducer:
    """The same weight for every kind of term, whatever their numbers; ½ each for genuine and impostor pairs."""

    def reduce(tallies: Sequence[Tally]) -> Tensor:
        first, *others = [single(one) for one in tallies]
        return sum(others, first) * (1.0 / len(tallies))

    return reduce


def _pooled(single: Callable[[Tally], Tensor]) -> Reducer:
    """Kinds together, each term counting the same."""

    def reduce(tallies: Sequence[Tally]) -> Tensor:
        total = torch.stack([one.total for one in tallies]).sum()
        number = torch.stack([one.number for one in tallies]).sum()
        return single(Tally(total, number, lambda: torch.stack([one.paying() for one in tallies]).sum()))

    return reduce


REDUCERS: dict[ReducerName, Reducer] = {
    "balanced": _balanced(_mean),
    "balanced_nonzero": _balanced(_nonzero),
    "mean": _pooled(_mean),
    "nonzero": _pooled(_nonzero),
    "sum": _pooled(_sum),
}
