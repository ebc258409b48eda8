"""The objective of a recipe: a weighted sum of loss terms on one batch of embeddings."""

import torch
from torch import Tensor, nn

from encode.errors import TrainingError
from train.losses.bromley1993 import CosineTargets
from train.losses.chopra2005 import ExponentialContrastive
from train.losses.cosface import CosFace
from train.losses.distance import Distance, EuclideanDistance, L1Distance
from train.losses.hadsell2006 import MarginContrastive
from train.losses.pairs import loss_of_pairs
from train.losses.supcon import SupCon
from train.recipe import LossTerm


class Objective(nn.Module):
    """embeddings (N, D), labels (N,) → (total, values of the single terms, detached).

    Parameters
    ----------
    terms : from the recipe.
    size, unit_norm : of the embeddings, from which distances take their bounds.
    people : number of training people, for terms that classify.
    """

    def __init__(self, terms: tuple[LossTerm, ...], *, size: int, unit_norm: bool, people: int) -> None:
        super().__init__()
        self.names = tuple(term.kind for term in terms)
        self.weights = tuple(term.weight for term in terms)
        self.terms = nn.ModuleList([_build(term, size, unit_norm, people) for term in terms])

    def progress(self, done: float) -> None:
        """Tell the terms the share of the run that is done, 0 … 1."""
        for term in self.terms:
            if isinstance(term, CosFace):
                term.progress(done)

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        return self._sum([term(embeddings, labels) for term in self.terms])

    def of_pairs(self, embeddings: Tensor, impostor: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The same for drawn pairs: embeddings (2·B, D), all left members first, and `impostor` (B,); pair losses only.

        Raises TrainingError for a term that is none.
        """
        left, right = embeddings.chunk(2)
        values = []
        for name, term in zip(self.names, self.terms, strict=True):
            if not isinstance(term, ExponentialContrastive | MarginContrastive | CosineTargets):
                raise TrainingError(f"{name} is not a loss of single pairs", field="batch.pairs")
            values.append(loss_of_pairs(term, left, right, impostor))
        return self._sum(values)

    def _sum(self, values: list[Tensor]) -> tuple[Tensor, dict[str, float]]:
        total = torch.stack([weight * value for weight, value in zip(self.weights, values, strict=True)]).sum()
        return total, {name: float(value.detach()) for name, value in zip(self.names, values, strict=True)}


def _build(term: LossTerm, size: int, unit_norm: bool, people: int) -> nn.Module:
    if term.kind == "bromley1993":
        return CosineTargets(term.target)
    distance: Distance = L1Distance() if term.distance == "l1" else EuclideanDistance(unit_norm=unit_norm)
    if term.kind == "chopra2005":
        return ExponentialContrastive(distance, size)
    if term.kind == "hadsell2006":
        return MarginContrastive(distance, 1.0 if term.margin is None else term.margin, hard=term.hard)
    if not unit_norm:
        raise TrainingError(f"{term.kind} needs unit-norm embeddings; this network has none", field="losses.kind")
    if term.kind == "supcon":
        return SupCon(term.temperature)
    if term.kind == "cosface":
        return CosFace(people, size, term.scale, 0.3 if term.margin is None else term.margin, term.ramp)
    raise TrainingError(f"unknown loss {term.kind!r}", field="losses.kind")
