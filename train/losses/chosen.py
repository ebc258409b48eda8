"""Distances of chosen pairs of a batch, found by one matrix product and differentiated by another.

With W_ij the slope of the loss in the squared distance, or in 1 − cos, of the chosen pair (i, j) and V = W + Wᵀ,

    d_ij = ‖x_i − x_j‖²    ∂L/∂x = 2·(diag(V·1) − V)·x
    d_ij = 1 − x_i·x_j     ∂L/∂x = −V·x

What a loss does with the distances is then work over the pairs that count, not over all N², which takes most of the
time otherwise. There is no second derivative.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Chosen = tuple[Tensor, Tensor]


def chosen_squared_distances(embeddings: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
    """Embeddings (N, D), disjoint bool (N, N) → squared distances of the first pairs, and of those of the second that
    are less than `within`, each (B,). Rounding may leave a value a little below 0."""
    table = squared_distances(embeddings.detach(), embeddings.detach())
    return _chosen(embeddings, table, first, second, within, squared=True)


def chosen_cosine_distances(unit: Tensor, first: Tensor, second: Tensor, within: float = math.inf) -> Chosen:
    """The same of 1 − cos, of vectors (N, D) of norm 1 or 0."""
    table = (unit.detach() @ unit.detach().T).neg_().add_(1.0)
    return _chosen(unit, table, first, second, within, squared=False)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """(N, D), (M, D) → (N, M), by the product; rounding may leave a value a little below 0."""
    lengths = left.square().sum(1)[:, None] + right.square().sum(1)[None, :]
    return torch.addmm(lengths, left, right.T, alpha=-2.0)


def _chosen(x: Tensor, table: Tensor, first: Tensor, second: Tensor, within: float, *, squared: bool) -> Chosen:
    if within < math.inf:
        second = second & (table < within)
    places = [torch.nonzero(mask.view(-1))[:, 0] for mask in (first, second)]
    found: Tensor = _Chosen.apply(x, table, torch.cat(places), squared)
    return found[: len(places[0])], found[len(places[0]) :]


class _Chosen(torch.autograd.Function):
    """Entries of the table (N, N) at the places (B,), all different, with the gradient in x (N, D)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, places: Tensor, squared: bool) -> Tensor:
        ctx.save_for_backward(x, places)
        ctx.squared = squared
        return table.view(-1).index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None, None, None]:
        x, places = ctx.saved_tensors
        weights = x.new_zeros(len(x) * len(x)).scatter_(0, places, slopes).view(len(x), len(x))
        weights = weights + weights.T
        gradient = -(weights @ x)
        if ctx.squared:
            gradient = 2.0 * gradient.addcmul_(weights.sum(1, keepdim=True), x)
        return gradient, None, None, None
