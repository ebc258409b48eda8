"""CosFace: classification over the training people with an additive cosine margin (Wang et al. 2018, eq. 4).

    L = − log exp(s(cos θ_y − m)) / ( exp(s(cos θ_y − m)) + Σ_{j≠y} exp(s·cos θ_j) )

The margin grows from 0 over the first part of the run: with the full margin from the start a small network does not
leave the plateau.
"""

import torch
from torch import Tensor, nn


class CosFace(nn.Module):
    """unit-norm embeddings (N, D), labels (N,) in 0 … people−1 → scalar."""

    def __init__(self, people: int, size: int, scale: float = 24.0, margin: float = 0.3, ramp: float = 0.3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(people, size) * 0.05)
        self.scale = scale
        self.final_margin = margin
        self.ramp = ramp
        self.margin = 0.0

    def progress(self, done: float) -> None:
        """Tell the share of the run that is done, 0 … 1; sets the margin."""
        self.margin = self.final_margin * min(1.0, done / self.ramp) if self.ramp > 0 else self.final_margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosines = embeddings @ nn.functional.normalize(self.weight, dim=1).T
        margins = torch.zeros_like(cosines)
        margins[torch.arange(len(labels)), labels] = self.margin
        return nn.functional.cross_entropy(self.scale * (cosines - margins), labels)
