"""The triplet loss of FaceNet (Schroff, Kalenichenko & Philbin 2015, eq. 3), on triplets mined from the batch.

L = max(0, d_ap − d_an + m),      d = ‖a − b‖² and m = 0.2 in the paper
"""

from torch import Tensor

from train.losses.contrast import Contrast
from train.losses.distance import Distance
from train.losses.reducer import REDUCERS, Reducer
from train.miners.triplets import Miner


class Triplet(Contrast):
    """embeddings (N, D), labels (N,) → scalar; terms are triplets.

    Parameters
    ----------
    distance : d.
    miner : which triplets count.
    margin : m, in the distance.
    reducer : over the mined triplets.
    """

    def __init__(
        self, distance: Distance, miner: Miner, margin: float = 0.2, reducer: Reducer = REDUCERS["nonzero"]
    ) -> None:
        super().__init__()
        self.distance, self.miner = distance, miner
        self.margin = margin
        self.reducer = reducer

    def compare(self, rows: Tensor, columns: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        distances = self.distance.across(rows, columns)
        found = self.miner(distances.detach(), positives, negatives)
        return self.reducer([found.hinge(distances, self.margin)])
