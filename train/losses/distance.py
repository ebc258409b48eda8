"""Distances between all embeddings of a batch; a loss is given one and never assumes which.

All are distances: smaller means closer. `bound(d)` is the least upper bound over the embeddings a network can put out,
from which the 2005 loss takes its Q.
"""

from typing import Protocol

from torch import Tensor


class Distance(Protocol):
    """embeddings (N, D) → (N, N); `between` (B, D) and (B, D) → (B,); `bound` for outputs of `size` values."""

    def __call__(self, embeddings: Tensor) -> Tensor: ...

    def between(self, left: Tensor, right: Tensor) -> Tensor: ...

    def bound(self, size: int) -> float: ...


class L1Distance:
    """E = ||a − b||₁, the energy of Chopra 2005; for outputs in (−1, 1) it stays under 2·D."""

    def __call__(self, embeddings: Tensor) -> Tensor:
        return self.between(embeddings[:, None, :], embeddings[None, :, :])

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).abs().sum(-1)

    def bound(self, size: int) -> float:
        return 2.0 * size


class EuclideanDistance:
    """||a − b||₂ with a gradient of zero, not NaN, between equal vectors.

    Parameters
    ----------
    unit_norm : whether the embeddings have norm 1 (bound 2) or values in (−1, 1) (bound 2·√D).
    """

    def __init__(self, *, unit_norm: bool) -> None:
        self.unit_norm = unit_norm

    def __call__(self, embeddings: Tensor) -> Tensor:
        squares = (embeddings * embeddings).sum(1)
        squared = squares[:, None] + squares[None, :] - 2.0 * embeddings @ embeddings.T
        # sqrt has an infinite slope at 0; the clamp stops the gradient there, and rounding below 0 as well.
        return squared.clamp_min(1e-8).sqrt()

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).square().sum(-1).clamp_min(1e-8).sqrt()

    def bound(self, size: int) -> float:
        return 2.0 if self.unit_norm else 2.0 * float(size) ** 0.5


class CosineDistance:
    """1 − cos(a, b), from 0 to 2; a vector of zeros is at distance 1 from all, with a finite gradient."""

    def __call__(self, embeddings: Tensor) -> Tensor:
        unit = _directions(embeddings)
        return 1.0 - unit @ unit.T

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return 1.0 - (_directions(left) * _directions(right)).sum(-1)

    def bound(self, size: int) -> float:
        return 2.0


def _directions(embeddings: Tensor) -> Tensor:
    # The clamp keeps the division finite at 0; shorter vectors than 1e-4 count as shorter than a direction.
    return embeddings / embeddings.square().sum(-1, keepdim=True).clamp_min(1e-8).sqrt()
