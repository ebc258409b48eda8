"""The exponential contrastive loss of Chopra, Hadsell & LeCun 2005, eq. 8–9 on the pairs of a batch.

    L = (1 − Y)·(2/Q)·E² + Y·2Q·exp(−2.77·E/Q)          Y = 1 for impostor pairs

E is the energy (distance) of a pair and Q an upper bound of it, derived here from the bounded outputs of the network.
"""

import torch
from torch import Tensor

from train.losses.distance import Distance
from train.losses.pairs import PairLoss
from train.losses.reducer import REDUCERS, Reducer
from train.miners.triplets import Miner


class ExponentialContrastive(PairLoss):
    """embeddings (N, D), labels (N,) → scalar.

    Parameters
    ----------
    distance : the energy E.
    size : D, from which Q = distance.bound(D).
    miner, reducer : as of every pair loss.
    """

    def __init__(
        self, distance: Distance, size: int, *, miner: Miner | None = None, reducer: Reducer = REDUCERS["balanced"]
    ) -> None:
        super().__init__(distance, miner=miner, reducer=reducer)
        self.q = distance.bound(size)

    def genuine(self, distances: Tensor) -> Tensor:
        return (2.0 / self.q) * distances * distances

    def impostor(self, distances: Tensor) -> Tensor:
        return 2.0 * self.q * torch.exp(-2.77 / self.q * distances)
