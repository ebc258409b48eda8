"""The objective of a recipe: a weighted sum of loss terms on one batch of embeddings."""

from collections import Counter

import torch
from torch import Tensor, nn

from encode.errors import TrainingError
from train.loss_term import LossTerm
from train.losses.build import build_loss
from train.losses.class_margin import ClassMargin
from train.losses.memory import MemoryQueue
from train.losses.pairs import PairLoss, loss_of_pairs


class Objective(nn.Module):
    """embeddings (N, D), labels (N,) → (total, values of the single terms, detached).

    Parameters
    ----------
    terms : from the recipe.
    size, unit_norm : of the embeddings, from which distances take their bounds.
    people : number of training people, for terms that classify; greater labels are forgeries'.
    """

    def __init__(self, terms: tuple[LossTerm, ...], *, size: int, unit_norm: bool, people: int) -> None:
        super().__init__()
        self.names = _names(terms)
        self.weights = tuple(term.weight for term in terms)
        self.terms = nn.ModuleList([build_loss(term, size=size, unit_norm=unit_norm, people=people) for term in terms])

    @property
    def needs_keys(self) -> bool:
        """Whether some term asks for keys: embeddings of other views by the average network."""
        return any(isinstance(term, MemoryQueue) and term.of_keys for term in self.terms)

    def progress(self, done: float) -> None:
        """Tell the terms the share of the run that is done, 0 … 1."""
        for term in self.terms:
            if isinstance(term, ClassMargin | MemoryQueue):
                term.progress(done)

    def forward(
        self, embeddings: Tensor, labels: Tensor, keys: Tensor | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        return self._sum(
            [
                term(embeddings, labels, keys)
                if isinstance(term, MemoryQueue) and term.of_keys
                else term(embeddings, labels)
                for term in self.terms
            ]
        )

    def of_pairs(self, embeddings: Tensor, impostor: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The same for drawn pairs: embeddings (2·B, D), all left members first, and `impostor` (B,); pair losses only.

        Raises TrainingError for a term that is none.
        """
        left, right = embeddings.chunk(2)
        values = []
        for name, term in zip(self.names, self.terms, strict=True):
            if not isinstance(term, PairLoss):
                raise TrainingError(f"{name} is not a loss of single pairs", field="batch.pairs")
            values.append(loss_of_pairs(term, left, right, impostor))
        return self._sum(values)

    def _sum(self, values: list[Tensor]) -> tuple[Tensor, dict[str, float]]:
        total = torch.stack([weight * value for weight, value in zip(self.weights, values, strict=True)]).sum()
        return total, {name: float(value.detach()) for name, value in zip(self.names, values, strict=True)}


def _names(terms: tuple[LossTerm, ...]) -> tuple[str, ...]:
    """Kinds, the second of one kind numbered 2, so that each has a column of its own in the curve."""
    seen: Counter[str] = Counter()
    names = []
    for term in terms:
        seen[term.kind] += 1
        names.append(term.kind if seen[term.kind] == 1 else f"{term.kind}_{seen[term.kind]}")
    return tuple(names)
