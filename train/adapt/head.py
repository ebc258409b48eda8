"""The head: a step away from the identity, so that it begins as the encoder it follows and decays back to it.

    linear      z = x + x W                      W = 0 at the start
    residual    z = x + relu(x A + a) B          B = 0 at the start

and z / ‖z‖ where the encoder's embeddings have the unit norm. Weight decay pulls W and B towards zero, that is the
head towards the identity (residual form: He et al. 2016).
"""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
HeadKind = Literal["linear", "residual"]


@dataclass(frozen=True)
class Head:
    """A fitted head: matrices float32, each (in, out), with a rectifier and `shift` between two.

    `matrices` is (W,) or (A, B); `shift` is a, and empty for W.
    """

    matrices: tuple[Floats, ...]
    shift: Floats
    unit_norm: bool

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return sum(matrix.size for matrix in self.matrices) + self.shift.size

    def apply(self, x: Floats) -> Floats:
        """Embeddings float32 (N, d) → float32 (N, d)."""
        step = x @ self.matrices[0]
        if len(self.matrices) == 2:
            step = np.maximum(step + self.shift, 0.0) @ self.matrices[1]
        z = x + step
        if self.unit_norm:
            z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), np.float32(1e-12))
        return cast(Floats, z.astype(np.float32, copy=False))


class HeadModule(nn.Module):
    """The same, to be trained.

    Parameters
    ----------
    size : d. hidden : width of the residual's middle; None for the linear head.
    """

    def __init__(self, size: int, hidden: int | None, *, unit_norm: bool, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.unit_norm = unit_norm
        if hidden is None:
            self.matrices = nn.ParameterList([torch.zeros(size, size)])
            self.shift = nn.Parameter(torch.zeros(0))
        else:
            first = torch.randn(size, hidden, generator=generator) * (2.0 / size) ** 0.5
            self.matrices = nn.ParameterList([first, torch.zeros(hidden, size)])
            self.shift = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor) -> Tensor:
        """float32 (N, d) → float32 (N, d)."""
        step = x @ self.matrices[0]
        if len(self.matrices) == 2:
            step = torch.relu(step + self.shift) @ self.matrices[1]
        z = x + step
        return nn.functional.normalize(z, dim=1) if self.unit_norm else z

    def fitted(self) -> Head:
        """The weights as they are now."""
        matrices = tuple(matrix.detach().numpy().copy() for matrix in self.matrices)
        return Head(matrices, self.shift.detach().numpy().copy(), self.unit_norm)
