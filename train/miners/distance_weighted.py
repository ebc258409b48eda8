"""Distance-weighted sampling (Wu, Manmatha, Smola & Krähenbühl 2017, eq. 3 and section 4): one negative for each pair
of a row and a positive, drawn so that all distances are seen alike.

    w(d) ∝ 1 / q(d),    q(d) ∝ d^(n−2) · (1 − d²/4)^((n−3)/2)

q is the density of the Euclidean distance d of two points drawn evenly on the sphere of n dimensions, nearly all of
which are about √2 apart. Below 0.5 the weight stays what it is there, so that noise among the nearest does not
dominate; beyond 1.4 it is 0, as such negatives cost nothing. A row whose negatives are all beyond draws from them
evenly."""

from collections.abc import Callable

import torch
from torch import Tensor

from train.miners.triplets import ListedTriplets

NEAREST, FARTHEST = 0.5, 1.4


class DistanceWeighted:
    """A miner for unit-norm embeddings; torch's generator draws.

    Parameters
    ----------
    size : n, values of an embedding.
    euclidean : turns the loss's distances into Euclidean ones (`train.losses.distance.Distance.euclidean`).
    """

    def __init__(self, size: int, euclidean: Callable[[Tensor], Tensor]) -> None:
        self.size = size
        self.euclidean = euclidean

    def __call__(self, distances: Tensor, positives: Tensor, negatives: Tensor) -> ListedTriplets:
        row, positive = (positives & negatives.any(1, keepdim=True)).nonzero(as_tuple=True)
        if not len(row):
            return ListedTriplets(row, positive, positive, distances.shape)
        # As many draws for a row as it has positives; drawn for all rows at once, of which some are not needed.
        numbers = torch.bincount(row, minlength=len(distances))
        first = numbers.cumsum(0) - numbers
        place = torch.arange(len(row)) - first[row]
        drawn = torch.multinomial(self.weights(distances, negatives), int(numbers.max()), replacement=True)
        return ListedTriplets(row, positive, drawn[row, place], distances.shape)

    def weights(self, distances: Tensor, negatives: Tensor) -> Tensor:
        """(N, M), greatest 1 in each row, and 0 where there is no negative; a row without any has 1 throughout."""
        d = self.euclidean(distances).clamp_min(NEAREST)
        log_density = (self.size - 2.0) * d.log() + 0.5 * (self.size - 3.0) * (1.0 - 0.25 * d * d).clamp_min(1e-8).log()
        near = negatives & (d < FARTHEST)
        kept = torch.where(near.any(1, keepdim=True), near, negatives)
        log_weight = torch.where(near, -log_density, torch.zeros(()))
        log_weight = torch.where(kept, log_weight, -torch.inf)
        greatest = log_weight.amax(1, keepdim=True)
        return torch.where(greatest > -torch.inf, torch.exp(log_weight - greatest), torch.ones(()))
