"""Distances between all embeddings of a batch; a loss is given one and never assumes which.

All are distances: smaller means closer. `bound(d)` is the least upper bound over the embeddings a network can put out,
from which the 2005 loss takes its Q.
"""

import math
from typing import Protocol

from torch import Tensor

from train.losses.chosen import Chosen, chosen_cosine_distances, chosen_squared_distances, squared_distances


class Distance(Protocol):
    """`across` (N, D) and (M, D) → (N, M); `between` (B, D) and (B, D) → (B,); `bound` for outputs of `size` values;
    `euclidean` turns distances of unit-norm embeddings into Euclidean ones.

    `among` gives the distances within a batch (N, D) that two disjoint bool (N, N) choose, each as (B,): all of the
    first, and those of the second that are less than `within`.
    """

    def among(self, embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen: ...

    def across(self, left: Tensor, right: Tensor) -> Tensor: ...

    def between(self, left: Tensor, right: Tensor) -> Tensor: ...

    def bound(self, size: int) -> float: ...

    def euclidean(self, distances: Tensor) -> Tensor: ...


class L1Distance:
    """E = ||a − b||₁, the energy of Chopra 2005; for outputs in (−1, 1) it stays under 2·D."""

    def among(self, embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
        distances = self.across(embeddings, embeddings)
        return distances[first], distances[second & (distances.detach() < within)]

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        return self.between(left[:, None, :], right[None, :, :])

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).abs().sum(-1)

    def bound(self, size: int) -> float:
        return 2.0 * size

    def euclidean(self, distances: Tensor) -> Tensor:
        raise NotImplementedError("the sum of absolute differences does not determine the Euclidean distance")


class EuclideanDistance:
    """||a − b||₂ with a gradient of zero, not NaN, between equal vectors.

    Parameters
    ----------
    unit_norm : whether the embeddings have norm 1 (bound 2) or values in (−1, 1) (bound 2·√D).
    """

    def __init__(self, *, unit_norm: bool) -> None:
        self.unit_norm = unit_norm

    def among(self, embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
        near, far = chosen_squared_distances(embeddings, first, second, max(within, 0.0) ** 2)
        return _root(near), _root(far)

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        return _root(squared_distances(left, right))

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return _root((left - right).square().sum(-1))

    def bound(self, size: int) -> float:
        return 2.0 if self.unit_norm else 2.0 * float(size) ** 0.5

    def euclidean(self, distances: Tensor) -> Tensor:
        return distances


class SquaredEuclideanDistance:
    """||a − b||₂², the distance of FaceNet (Schroff et al. 2015); never below 0, where its gradient is 0.

    Parameters
    ----------
    unit_norm : whether the embeddings have norm 1 (bound 4) or values in (−1, 1) (bound 4·D).
    """

    def __init__(self, *, unit_norm: bool) -> None:
        self.unit_norm = unit_norm

    def among(self, embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
        near, far = chosen_squared_distances(embeddings, first, second, within)
        return near.clamp_min(0.0), far.clamp_min(0.0)

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        return squared_distances(left, right).clamp_min(0.0)

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).square().sum(-1)

    def bound(self, size: int) -> float:
        return 4.0 if self.unit_norm else 4.0 * size

    def euclidean(self, distances: Tensor) -> Tensor:
        return distances.sqrt()


class CosineDistance:
    """1 − cos(a, b), from 0 to 2; a vector of zeros is at distance 1 from all, with a finite gradient."""

    def among(self, embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
        return chosen_cosine_distances(_directions(embeddings), first, second, within)

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        return 1.0 - _directions(left) @ _directions(right).T

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        return 1.0 - (_directions(left) * _directions(right)).sum(-1)

    def bound(self, size: int) -> float:
        return 2.0

    def euclidean(self, distances: Tensor) -> Tensor:
        return (2.0 * distances).clamp_min(0.0).sqrt()


def _root(squared: Tensor) -> Tensor:
    # sqrt has an infinite slope at 0; the clamp stops the gradient there, and rounding below 0 as well.
    return squared.clamp_min(1e-8).sqrt()


def _directions(embeddings: Tensor) -> Tensor:
    # The clamp keeps the division finite at 0; shorter vectors than 1e-4 count as shorter than a direction.
    return embeddings / embeddings.square().sum(-1, keepdim=True).clamp_min(1e-8).sqrt()
