"""Batch hard (Hermans, Beyer & Leibe 2017, eq. 5): each row with its farthest positive and its nearest negative."""

import torch
from torch import Tensor

from train.miners.triplets import ListedTriplets


class HardestPairs:
    """A miner: one triplet for each row that has a positive and a negative."""

    def __call__(self, distances: Tensor, positives: Tensor, negatives: Tensor) -> ListedTriplets:
        infinity = distances.new_tensor(torch.inf)
        farthest = torch.where(positives, distances, -infinity).argmax(1)
        nearest = torch.where(negatives, distances, infinity).argmin(1)
        anchor = torch.nonzero(positives.any(1) & negatives.any(1))[:, 0]
        return ListedTriplets(anchor, farthest[anchor], nearest[anchor], distances.shape)
