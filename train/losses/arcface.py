"""ArcFace: classification over the training people with an additive angular margin (Deng et al. 2019, eq. 3).

    L = − log exp(s·cos(θ_y + m)) / ( exp(s·cos(θ_y + m)) + Σ_{j≠y} exp(s·cos θ_j) )

Beyond θ_y = π − m, where cos(θ + m) would rise again, cos θ_y − m·sin m takes its place, as in the authors' code.
"""

import math

import torch
from torch import Tensor

from train.losses.class_margin import ClassMargin


class ArcFace(ClassMargin):
    """unit-norm embeddings (N, D), labels (N,) → scalar; rows with labels ≥ people are left out. The margin is in
    radians."""

    def __init__(self, people: int, size: int, scale: float = 24.0, margin: float = 0.5, ramp: float = 0.3) -> None:
        super().__init__(people, size, scale, margin, ramp)

    def moved(self, cosines: Tensor) -> Tensor:
        # cos(θ + m) by the addition theorem: arccos has an infinite slope at the poles; so has this root, at 0.
        sines = (1.0 - cosines.square()).clamp_min(1e-8).sqrt()
        turned = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        return torch.where(
            cosines > math.cos(math.pi - self.margin), turned, cosines - self.margin * math.sin(self.margin)
        )
