"""What a miner finds: triplets of an anchor, a positive and a negative, which need not be listed to be summed over.

A miner looks at distances (N, M) without a gradient, and at which columns are positives and negatives of which row. A
loss asks what it found for the hinge over its triplets, or for how often each pair occurs in them."""

from typing import Protocol

import torch
from torch import Tensor

from train.losses.reducer import Tally, tally


class Triplets(Protocol):
    """Triplets of rows and columns of distances (N, M)."""

    def hinge(self, distances: Tensor, margin: float) -> Tally:
        """Σ max(0, d_ap − d_an + margin), with the gradient of `distances` (N, M), and the numbers of triplets."""

    def counts(self) -> tuple[Tensor, Tensor]:
        """In how many triplets each positive and each negative pair is: two int64 (N, M)."""


class Miner(Protocol):
    """Distances (N, M) and bool masks (N, M) of positives and negatives → triplets."""

    def __call__(self, distances: Tensor, positives: Tensor, negatives: Tensor) -> Triplets: ...


class ListedTriplets:
    """Triplets by their indices, each int64 (T,)."""

    def __init__(self, anchor: Tensor, positive: Tensor, negative: Tensor, shape: torch.Size) -> None:
        self.anchor, self.positive, self.negative = anchor, positive, negative
        self.shape = shape

    def hinge(self, distances: Tensor, margin: float) -> Tally:
        excess = distances[self.anchor, self.positive] - distances[self.anchor, self.negative] + margin
        return tally(torch.relu(excess))

    def counts(self) -> tuple[Tensor, Tensor]:
        return self._occurrences(self.positive), self._occurrences(self.negative)

    def _occurrences(self, columns: Tensor) -> Tensor:
        places = self.anchor * self.shape[1] + columns
        return torch.bincount(places, minlength=self.shape[0] * self.shape[1]).view(self.shape)
