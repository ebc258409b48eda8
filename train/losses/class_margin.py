"""Classification over the training people by cosine to one weight vector a person, with a margin for the right one.

    L = − log exp(s·m(cos θ_y)) / ( exp(s·m(cos θ_y)) + Σ_{j≠y} exp(s·cos θ_j) )

Here m is the loss's own function. Its margin grows from 0 over the first part of the run: with the full margin from the
start a small network does not leave the plateau. A skilled forgery is nobody's class, and is left out.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn


class ClassMargin(nn.Module):
    """unit-norm embeddings (N, D), labels (N,) → scalar; rows with labels ≥ people are left out.

    Parameters
    ----------
    people, size : classes, and values of an embedding.
    scale : s.
    margin : at the end of the ramp.
    ramp : share of the run, 0 … 1, over which the margin grows; 0 for the full margin at once.
    """

    def __init__(self, people: int, size: int, scale: float, margin: float, ramp: float) -> None:
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
        classed = labels < len(self.weight)
        if not bool(classed.any()):
            return cosines.sum() * 0.0
        own = labels.clamp_max(len(self.weight) - 1)[:, None]
        moved = cosines.scatter(1, own, self.moved(cosines.gather(1, own)))
        return nn.functional.cross_entropy(self.scale * moved, labels.where(classed, -100))

    @abstractmethod
    def moved(self, cosines: Tensor) -> Tensor:
        """m: cosines to the right class (N, 1), with `self.margin` taken off."""
