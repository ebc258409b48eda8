"""The exponential contrastive loss of Chopra, Hadsell & LeCun 2005, eq. 8–9 on the pairs of a batch.

    L = (1 − Y)·(2/Q)·E² + Y·2Q·exp(−2.77·E/Q)          Y = 1 for impostor pairs

E is the energy (distance) of a pair and Q an upper bound of it, derived here from the bounded outputs of the network.
"""

import torch
from torch import Tensor, nn

from train.losses.distance import Distance
from train.losses.pairs import balanced


class ExponentialContrastive(nn.Module):
    """embeddings (N, D), labels (N,) → scalar.

    Parameters
    ----------
    distance : the energy E.
    size : D, from which Q = distance.bound(D).
    """

    def __init__(self, distance: Distance, size: int) -> None:
        super().__init__()
        self.distance = distance
        self.q = distance.bound(size)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        energy = self.distance(embeddings)
        return balanced(self.genuine(energy), self.impostor(energy), labels)

    def genuine(self, energy: Tensor) -> Tensor:
        """Loss of genuine pairs, elementwise."""
        return (2.0 / self.q) * energy * energy

    def impostor(self, energy: Tensor) -> Tensor:
        """Loss of impostor pairs, elementwise."""
        return 2.0 * self.q * torch.exp(-2.77 / self.q * energy)
