"""Losses that compare every row of a batch with columns: the batch itself, or a memory of other embeddings.

Positives are the columns of the row's person, negatives those of others; a row is neither of itself. A label that
nobody shares (a skilled forgery's) makes a row a negative to everyone.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from train.losses.reducer import REDUCERS, Reducer, tally

LEAST = -1e30
"""Stands for log 0: its exponential is 0, but unlike −inf it has a gradient (of 0) where nothing else is in a sum."""


class Contrast(nn.Module):
    """embeddings (N, D), labels (N,) → scalar, N ≥ 1; `compare` takes other columns than the batch."""

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        positives, negatives = batch_masks(labels)
        return self.compare(embeddings, embeddings, positives, negatives)

    @abstractmethod
    def compare(self, rows: Tensor, columns: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Rows (N, D), columns (M, D), and bool (N, M) which column is a positive or a negative of which row."""


class SimilarityContrast(Contrast):
    """A contrast of cosine similarities over a temperature, on unit-norm embeddings.

    Parameters
    ----------
    temperature : τ > 0.
    reducer : over the loss's terms, which its own docstring names; their mean unless told.
    """

    def __init__(self, temperature: float = 0.1, reducer: Reducer = REDUCERS["mean"]) -> None:
        super().__init__()
        self.temperature = temperature
        self.reducer = reducer

    def compare(self, rows: Tensor, columns: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        values, counted = self.terms(rows @ columns.T / self.temperature, positives, negatives)
        return self.reducer([tally(values, counted)])

    @abstractmethod
    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Logits s/τ (N, M) and masks → the loss's terms, and bool of the same shape, which of them count."""


def batch_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """labels (N,) → bool (N, N): positives and negatives of every row."""
    same = labels[:, None] == labels[None, :]
    negatives = ~same
    return same.fill_diagonal_(False), negatives


def log_sum_exp(logits: Tensor, mask: Tensor) -> Tensor:
    """log Σ exp over the columns of `mask`, (N, 1); `LEAST`, or a little more, where there are none."""
    return torch.logsumexp(torch.where(mask, logits, logits.new_tensor(LEAST)), dim=1, keepdim=True)
