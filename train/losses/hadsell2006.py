"""The margin contrastive loss of Hadsell, Chopra & LeCun 2006, eq. 4, on the pairs of a batch.

    L = (1 − Y)·½·D² + Y·½·max(0, m − D)²               Y = 1 for impostor pairs

The margin m is a Euclidean distance. With `hard`, only impostor pairs inside the margin share the impostors' half of
the weight; otherwise the many that are far enough already dilute the few that are not.
"""

import torch
from torch import Tensor, nn

from train.losses.distance import Distance
from train.losses.pairs import balanced, masked_mean, pair_masks


class MarginContrastive(nn.Module):
    """embeddings (N, D), labels (N,) → scalar.

    Parameters
    ----------
    distance : D of the formula.
    margin : distance beyond which an impostor pair costs nothing.
    hard : average impostor pairs over those inside the margin only.
    """

    def __init__(self, distance: Distance, margin: float = 1.0, *, hard: bool = False) -> None:
        super().__init__()
        self.distance = distance
        self.margin = margin
        self.hard = hard

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        distances = self.distance(embeddings)
        genuine_loss, impostor_loss = self.genuine(distances), self.impostor(distances)
        if not self.hard:
            return balanced(genuine_loss, impostor_loss, labels)
        genuine, impostor = pair_masks(labels)
        inside = impostor & (distances < self.margin)
        return 0.5 * (masked_mean(genuine_loss, genuine) + masked_mean(impostor_loss, inside))

    def genuine(self, distances: Tensor) -> Tensor:
        """Loss of genuine pairs, elementwise."""
        return 0.5 * distances * distances

    def impostor(self, distances: Tensor) -> Tensor:
        """Loss of impostor pairs, elementwise."""
        return 0.5 * torch.relu(self.margin - distances).square()
