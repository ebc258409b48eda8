"""CosFace: classification over the training people with an additive cosine margin (Wang et al. 2018, eq. 4).

L = − log exp(s(cos θ_y − m)) / ( exp(s(cos θ_y − m)) + Σ_{j≠y} exp(s·cos θ_j) )
"""

from torch import Tensor

from train.losses.class_margin import ClassMargin


class CosFace(ClassMargin):
    """unit-norm embeddings (N, D), labels (N,) → scalar; rows with labels ≥ people are left out."""

    def __init__(self, people: int, size: int, scale: float = 24.0, margin: float = 0.3, ramp: float = 0.3) -> None:
        super().__init__(people, size, scale, margin, ramp)

    def moved(self, cosines: Tensor) -> Tensor:
        return cosines - self.margin
