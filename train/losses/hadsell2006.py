"""The margin contrastive loss of Hadsell, Chopra & LeCun 2006, eq. 4, on the pairs of a batch.

    L = (1 − Y)·½·D² + Y·½·max(0, m − D)²               Y = 1 for impostor pairs
    L = (1 − Y)·½·D² + Y·½·max(0, m² − D²)              the other common form, the hinge on the squared distance

The margin m is a distance in both. The first pushes the harder the nearer an impostor is in proportion to what is
missing to the margin, the second in proportion to the distance itself: hardly at all where the two coincide. With
`hard`, only impostor pairs inside the margin share the impostors' half of the weight; otherwise the many that are far
enough already dilute the few that are not."""

from typing import Literal

import torch
from torch import Tensor

from train.losses.distance import Distance
from train.losses.pairs import PairLoss
from train.losses.reducer import REDUCERS, Reducer
from train.miners.triplets import Miner

Form = Literal["squared_hinge", "hinge_of_square"]


class MarginContrastive(PairLoss):
    """embeddings (N, D), labels (N,) → scalar.

    Parameters
    ----------
    distance : D of the formula.
    margin : distance beyond which an impostor pair costs nothing.
    hard : average impostor pairs over those inside the margin only.
    form : the first or the second of the formulas.
    miner, reducer : as of every pair loss.
    """

    def __init__(
        self,
        distance: Distance,
        margin: float = 1.0,
        *,
        hard: bool = False,
        form: Form = "squared_hinge",
        miner: Miner | None = None,
        reducer: Reducer = REDUCERS["balanced"],
    ) -> None:
        super().__init__(distance, miner=miner, reducer=reducer)
        self.margin = self.reach = margin
        self.only_within_reach = hard
        self.form = form

    def genuine(self, distances: Tensor) -> Tensor:
        return 0.5 * distances * distances

    def impostor(self, distances: Tensor) -> Tensor:
        if self.form == "hinge_of_square":
            return 0.5 * torch.relu(self.margin**2 - distances * distances)
        return 0.5 * torch.relu(self.margin - distances).square()
