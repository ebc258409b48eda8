"""All pairs of a batch as masks, and the mean of a pair loss over them.

A batch of P people × K samples holds P·K(K−1)/2 genuine and P(P−1)/2·K² impostor pairs. Both kinds get half of the
weight, whatever their numbers: the papers draw genuine and impostor pairs equally often, and a plain mean over a batch
of many people would show the network almost nothing but impostors.
"""

from typing import Protocol

import torch
from torch import Tensor

from train.losses.distance import Distance


class PairLoss(Protocol):
    """A loss made of one term for genuine and one for impostor pairs, both functions of the distance."""

    distance: Distance

    def genuine(self, distances: Tensor) -> Tensor: ...

    def impostor(self, distances: Tensor) -> Tensor: ...


def loss_of_pairs(loss: PairLoss, left: Tensor, right: Tensor, impostor: Tensor) -> Tensor:
    """The mean loss of drawn pairs: left and right (B, D), Y (B,) 0 or 1 for impostor; the papers' own form."""
    distances = loss.distance.between(left, right)
    return torch.where(impostor.bool(), loss.impostor(distances), loss.genuine(distances)).mean()


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """labels (N,) → boolean (N, N) masks of genuine and impostor pairs, each pair once (upper triangle)."""
    same = labels[:, None] == labels[None, :]
    once = torch.ones_like(same).triu(diagonal=1)
    return same & once, ~same & once


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` holds, 0 (with a gradient of 0) where it holds nowhere. Shapes equal."""
    kept = torch.where(mask, values, torch.zeros((), dtype=values.dtype))
    return kept.sum() / mask.sum().clamp_min(1)


def balanced(genuine_loss: Tensor, impostor_loss: Tensor, labels: Tensor) -> Tensor:
    """½ · mean over genuine pairs + ½ · mean over impostor pairs; both losses are (N, N)."""
    genuine, impostor = pair_masks(labels)
    return 0.5 * (masked_mean(genuine_loss, genuine) + masked_mean(impostor_loss, impostor))
