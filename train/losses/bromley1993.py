"""The cosine targets of Bromley, Guyon, LeCun, Säckinger & Shah 1993, section 4.

    L = (cos(a, b) − t)²,      t = +1 for two genuine signatures of one person
                               t = `target`, −1 … −0.9, for a genuine signature and a forgery or another's signature

The paper gives the angle between the two feature vectors and its desired cosines; that the error is their squared
difference is our reading, as every network of that group was then trained by squared errors. With d = 1 − cos the two
sides are d² and (d − (1 − target))², so the loss is one of pairs like the others.
"""

from torch import Tensor

from train.losses.distance import CosineDistance
from train.losses.pairs import PairLoss
from train.losses.reducer import REDUCERS, Reducer
from train.miners.triplets import Miner


class CosineTargets(PairLoss):
    """embeddings (N, D), labels (N,) → scalar over all pairs; or pairs as drawn, by `train.losses.pairs.loss_of_pairs`.

    Parameters
    ----------
    target : the cosine wished for between signatures that are not of one hand, −1 … −0.9 in the paper.
    miner, reducer : as of every pair loss.
    """

    def __init__(
        self, target: float = -1.0, *, miner: Miner | None = None, reducer: Reducer = REDUCERS["balanced"]
    ) -> None:
        super().__init__(CosineDistance(), miner=miner, reducer=reducer)
        self.target = target

    def genuine(self, distances: Tensor) -> Tensor:
        return distances.square()

    def impostor(self, distances: Tensor) -> Tensor:
        return (1.0 - distances - self.target).square()
