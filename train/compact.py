"""An embedding short enough for a template of 76 numbers: linear discriminants of the trained one.

    W⁻¹T v = λ v,   VᵀWV = I,   z = Vᵀ(x − mean)            Fisher 1936, Rao 1948

with W and T the within-class and total covariance of the background people, both shrunk. The directions with the
largest λ keep what tells people apart; with W at identity, 38 means and 38 sums of squares describe a person (Bromley
et al. 1993 keep as many), and no reference is stored.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from encode.manifest import IdentitySpec
from train.background import fit_background
from train.embedding import Embedded
from train.identity_choice import given_candidates
from train.networks.pen_residual import PenMembers
from train.recipe import Compact
from train.seal import Served

FORM = "-compact"
"""Behind the names of recipe and folder."""

SHRINKAGE = 0.5
"""Of both covariances, in the middle of what `train.identity_choice` compares."""


class Projected(nn.Module):
    """(B, 5, T) → the encoder's embeddings, projected: (B, k)."""

    unit_norm = False
    matrix: Tensor
    mean: Tensor

    def __init__(self, encoder: nn.Module, matrix: NDArray[np.float64], mean: NDArray[np.float64]) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("matrix", torch.from_numpy(matrix).float())
        self.register_buffer("mean", torch.from_numpy(mean).float())

    def forward(self, frames: Tensor) -> Tensor:
        projected: Tensor = (self.encoder(frames) - self.mean) @ self.matrix
        return projected


def discriminants(within: NDArray[np.float64], total: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Covariances (d, d) → the `size` directions of largest between-class variance, (d, size), with VᵀWV = I."""
    _, vectors = eigh(total, within, subset_by_index=(len(within) - size, len(within) - 1))
    directions: NDArray[np.float64] = vectors[:, ::-1]
    return np.ascontiguousarray(directions)


def compacted(encoder: PenMembers, embedded: Embedded, config: Compact) -> Served:
    """The encoder projected on discriminants of background people, and the identity models that moments suffice for."""
    background = fit_background(*embedded.own, within_shrinkage=SHRINKAGE, total_shrinkage=SHRINKAGE)
    matrix = discriminants(background["within"], background["total"], config.size)
    candidates = [
        candidate
        for strength in (5.0, 15.0, 50.0)
        for candidate in given_candidates(
            IdentitySpec(kind="diagonal_map", strength=strength, storage="moments", limit=config.limit)
        )
    ]
    return Served(Projected(encoder, matrix, background["mean"]).eval(), candidates, form=FORM)
