"""Triplets of all pairs of a row and a positive with the negatives in a band of distances beyond the positive:

    lower < d_an − d_ap ≤ upper

None of the up to N³ triplets is made. With the row's positives sorted, P_x(a, n) = how many of them have d_ap + x <
d_an tells how many triplets a negative is in, P_lower − P_upper, and, counted by its value, how many each positive is
in. The hinge is linear in every triplet that is active, so those numbers are the coefficients of its sum:

    Σ_active (d_ap − d_an + m)  =  Σ_ap c_ap·(d_ap + m)  −  Σ_an e_an·d_an

Time is N·M·K elementary comparisons for K positives a row, memory a few (N, M).
"""

import math

import torch
from torch import Tensor

from train.losses.reducer import Tally


class Band:
    """A miner: every positive of a row with every negative that lies in the band beyond it.

    Parameters
    ----------
    lower, upper : of d_an − d_ap, in the loss's distance; infinite for no bound.
    """

    def __init__(self, lower: float = -math.inf, upper: float = math.inf) -> None:
        self.lower, self.upper = lower, upper

    def __call__(self, distances: Tensor, positives: Tensor, negatives: Tensor) -> "BandTriplets":
        return BandTriplets(distances, positives, negatives, self.lower, self.upper)


class BandTriplets:
    """The triplets of a band over distances (N, M)."""

    def __init__(self, distances: Tensor, positives: Tensor, negatives: Tensor, lower: float, upper: float) -> None:
        self.lower, self.upper = lower, upper
        # Columns of the row's positives, nearest first, and a distance of infinity where a row has fewer than others.
        row, self.column = positives.nonzero(as_tuple=True)
        numbers = positives.sum(1)
        first = numbers.cumsum(0) - numbers
        place = torch.arange(len(row)) - first[row]
        width = int(numbers.max()) if len(numbers) else 0
        near = distances.new_full((len(distances), width), math.inf)
        near[row, place] = distances[row, self.column]
        self.sorted, order = near.sort(1)
        self.row, self.place = row, order.argsort(1)[row, place]
        self.numbers = numbers.to(torch.int32)[:, None]
        self.far = torch.where(negatives, distances, distances.new_tensor(-math.inf))

    def hinge(self, distances: Tensor, margin: float) -> Tally:
        pull, push = self._counts(self.lower, min(self.upper, margin), closed=self.upper < margin)
        paying = pull.sum()
        near = distances[self.row, self.column]
        total = (pull * (near + margin)).sum() - torch.where(push > 0, distances * push, distances.new_zeros(())).sum()
        if self.upper >= margin:
            pull, _ = self._counts(self.lower, self.upper, closed=True)
        return Tally(total, pull.sum(), lambda: paying)

    def counts(self) -> tuple[Tensor, Tensor]:
        pull, push = self._counts(self.lower, self.upper, closed=True)
        found = torch.zeros_like(push)
        found[self.row, self.column] = pull
        return found, push

    def _counts(self, lower: float, upper: float, *, closed: bool) -> tuple[Tensor, Tensor]:
        """int64 (pairs,) triplets of each positive pair, and int64 (N, M) of each negative pair."""
        if upper <= lower:
            return torch.zeros_like(self.row), torch.zeros(self.far.shape, dtype=torch.int64)
        below, above = self._passed(lower, closed=True), self._passed(upper, closed=closed)
        pull = self._beyond(below) - self._beyond(above)
        return pull[self.row, self.place], (below - above).long()

    def _passed(self, x: float, *, closed: bool) -> Tensor:
        """int32 (N, M), P_x: how many positives of the row have d_ap + x < d_an (≤ unless closed); else 0."""
        if x == -math.inf:
            return torch.where(self.far > -math.inf, self.numbers, 0)
        passed = torch.zeros(self.far.shape, dtype=torch.int32)
        if x == math.inf:
            return passed
        for near in self.sorted.unbind(1):
            limit = near[:, None] + x
            passed += limit < self.far if closed else limit <= self.far
        return passed

    def _beyond(self, passed: Tensor) -> Tensor:
        """int64 (N, K), for each sorted positive the number of negatives that have passed it."""
        histogram = torch.zeros(len(passed), self.sorted.shape[1] + 1, dtype=torch.int64)
        index = passed.long()
        histogram.scatter_add_(1, index, torch.ones_like(index))
        return histogram.flip(1).cumsum(1).flip(1)[:, 1:]
