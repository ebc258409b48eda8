"""Loss of an episode: every writer enrolled by a few references and probed, scored as in service.

Warping, of learned frames, with d_r the distance to reference r, s the mean distance between references and l five
times their mean length:

    logit = −a·[ log(½ mean d + ½ min d) − b·log s − (1 − b)·log l ] + t

Embedding, with m the mean of the references and v their variance about it:

    logit = −a·[ log ‖x − m‖² − b·log v ] + t

Each gives a binary cross-entropy, weighted by kind of probe so that no kind counts by its number, plus a share of the
ranking loss mean softplus(forged − genuine) within a writer, which asks for no threshold. SupCon over the genuine
signatures, with every other signature of the batch as a negative, is added by its own weight.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.episodes import EpisodeConfig
from train.losses.supcon import SupCon
from train.losses.warping import warping_distances

GENUINE, FORGED, DISTORTED, RANDOM = 0.5, 0.28, 0.1, 0.12
"""Shares of the kinds of probes in the cross-entropy."""


@dataclass(frozen=True)
class EpisodeWeights:
    """Weights of the addends; `ranking` multiplies within both episode losses, `temperature` is SupCon's."""

    warping: float = 1.0
    embedding: float = 1.0
    ranking: float = 0.3
    supcon: float = 0.5
    temperature: float = 0.1


class EpisodeObjective(nn.Module):
    """Embeddings (W·own, D), frames (W·own, C, T), lengths of the frames → total and its addends."""

    def __init__(self, config: EpisodeConfig, weights: EpisodeWeights) -> None:
        super().__init__()
        self.weights = weights
        self.references = torch.from_numpy(config.reference_rows)
        self.probes = torch.from_numpy(config.probe_rows)
        self.genuine = config.genuine
        self.forged = config.forgeries + config.distorted
        counts = (
            (config.genuine, GENUINE),
            (config.forgeries, FORGED),
            (config.distorted, DISTORTED),
            (config.random, RANDOM),
        )
        self.share = torch.cat([torch.full((count,), share / count) for count, share in counts])
        self.target = (torch.arange(config.probes) < config.genuine).float()
        row = torch.arange(config.writers * config.own)
        place = row % config.own
        own = place < config.references + config.genuine
        # Nobody shares a forgery's label: it is a negative to all and has no positive of its own.
        self.label = torch.where(own, row // config.own, config.writers + row)
        self.supcon = SupCon(weights.temperature)
        upper = torch.triu_indices(config.references, config.references, 1)
        self.left = torch.cat([self.probes.repeat_interleave(config.references, 1).flatten(), self._pick(upper[0])])
        self.right = torch.cat([self.references.repeat(1, config.probes).flatten(), self._pick(upper[1])])
        self.warping = nn.Parameter(torch.tensor([8.0, 0.7, 2.0]))  # a, b, t
        self.pooled = nn.Parameter(torch.tensor([3.0, 0.5, 1.0]))

    def forward(self, embeddings: Tensor, frames: Tensor, lengths: Tensor) -> tuple[Tensor, dict[str, float]]:
        warping, embedding = self.warping_logits(frames, lengths), self.embedding_logits(embeddings)
        addends = {
            "warping": self._loss(warping),
            "embedding": self._loss(embedding),
            "supcon": self.supcon(embeddings, self.label),
        }
        total = torch.stack([getattr(self.weights, name) * value for name, value in addends.items()]).sum()
        return total, {name: float(value.detach()) for name, value in addends.items()}

    def warping_logits(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(W, P)."""
        a, b, t = self.warping
        writers, probes = self.probes.shape
        references = self.references.shape[1]
        found = warping_distances(frames[self.left], lengths[self.left], frames[self.right], lengths[self.right])
        split = writers * probes * references
        d = found[:split].view(writers, probes, references)
        spread = found[split:].view(writers, -1).mean(1, keepdim=True)
        length = 5.0 * lengths[self.references].float().mean(1, keepdim=True)
        middle = torch.log(0.5 * d.mean(2) + 0.5 * d.amin(2))
        logits: Tensor = -a * (middle - b * torch.log(spread) - (1.0 - b) * torch.log(length)) + t
        return logits

    def embedding_logits(self, embeddings: Tensor) -> Tensor:
        """(W, P)."""
        a, b, t = self.pooled
        references = embeddings[self.references]
        mean = references.mean(1, keepdim=True)
        variance = ((references - mean) ** 2).sum((1, 2)) / (references.shape[1] - 1)
        squared = ((embeddings[self.probes] - mean) ** 2).sum(2)
        logits: Tensor = -a * (torch.log(squared + 1e-3) - b * torch.log(variance + 1e-3)[:, None]) + t
        return logits

    def _loss(self, logits: Tensor) -> Tensor:
        target = self.target.expand_as(logits)
        entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        genuine, forged = logits[:, : self.genuine], logits[:, self.genuine : self.genuine + self.forged]
        ranking = functional.softplus(forged[:, None, :] - genuine[:, :, None]).mean()
        return (entropy * self.share).sum(1).mean() + self.weights.ranking * ranking

    def _pick(self, column: Tensor) -> Tensor:
        return self.references[:, column].flatten()
