"""All pairs of a batch as masks, and the mean of a pair loss over them.

A batch of P people × K samples holds P·K(K−1)/2 genuine and P(P−1)/2·K² impostor pairs. Both kinds get half of the
weight, whatever their numbers: the papers draw genuine and impostor pairs equally often, and a plain mean over a batch
of many people would show the network almost nothing but impostors.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from train.losses.contrast import Contrast
from train.losses.distance import Distance
from train.losses.reducer import REDUCERS, Reducer, tally
from train.miners.triplets import Miner


class PairLoss(Contrast):
    """A loss made of one term for genuine and one for impostor pairs, both functions of the distance.

    Parameters
    ----------
    distance : of the two members of a pair.
    miner : which pairs count, and how often: as often as they occur in its triplets; None for every pair once.
    reducer : over genuine and impostor pairs; unless told, ½ · mean of each.
    """

    reach = math.inf
    """Distance from which on an impostor pair costs nothing."""
    only_within_reach = False
    """Whether impostor pairs beyond do not count at all, or count as ones of cost 0."""

    def __init__(
        self, distance: Distance, *, miner: Miner | None = None, reducer: Reducer = REDUCERS["balanced"]
    ) -> None:
        super().__init__()
        self.distance, self.miner, self.reducer = distance, miner, reducer

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.miner is not None:
            return super().forward(embeddings, labels)
        genuine, impostor = pair_masks(labels)
        near, far = self.distance.among(embeddings, genuine, impostor, self.reach)
        number = torch.tensor(len(far)) if self.only_within_reach else impostor.sum()
        return self.reducer([tally(self.genuine(near)), tally(self.impostor(far))._replace(number=number)])

    def compare(self, rows: Tensor, columns: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        distances = self.distance.across(rows, columns)
        if self.miner is not None:
            positives, negatives = self.miner(distances.detach(), positives, negatives).counts()
        if self.only_within_reach:
            negatives = negatives * (distances.detach() < self.reach)
        return self.reducer([tally(self.genuine(distances), positives), tally(self.impostor(distances), negatives)])

    @abstractmethod
    def genuine(self, distances: Tensor) -> Tensor:
        """Loss of genuine pairs, elementwise."""

    @abstractmethod
    def impostor(self, distances: Tensor) -> Tensor:
        """Loss of impostor pairs, elementwise."""


def loss_of_pairs(loss: PairLoss, left: Tensor, right: Tensor, impostor: Tensor) -> Tensor:
    """The mean loss of drawn pairs: left and right (B, D), Y (B,) 0 or 1 for impostor; the papers' own form."""
    distances = loss.distance.between(left, right)
    return torch.where(impostor.bool(), loss.impostor(distances), loss.genuine(distances)).mean()


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """labels (N,) → boolean (N, N) masks of genuine and impostor pairs, each pair once (upper triangle)."""
    same = labels[:, None] == labels[None, :]
    once = torch.ones_like(same).triu(diagonal=1)
    return same & once, ~same & once
