"""The training loop on episodes of pen strokes: `train.loop` with another batch and another objective."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from encode.errors import TrainingError
from train.episodes import EpisodeConfig, EpisodeSampler, Writer
from train.loop import Trained, Trainer
from train.losses.episode import EpisodeObjective
from train.networks.pen_residual import PenMembers, PenResidualEncoder
from train.pen_set import traces_of
from train.people_split import share_of
from train.recipe import Recipe
from train.strokes import StrokeSet

_PIECES = 3
"""Parts of a batch, by length, that go through the network one after another: saves padding, changes no result."""


class EpisodeTrainer(Trainer):
    """As :class:`train.loop.Trainer`; `training` holds the frames of `encode.pen_frames`."""

    training: StrokeSet
    network: PenResidualEncoder
    objective: EpisodeObjective
    sampler: EpisodeSampler

    def _build_objective(self, network: nn.Module) -> EpisodeObjective:
        return EpisodeObjective(self._episodes, self.recipe.episode_weights)

    def _build_sampler(self) -> EpisodeSampler:
        return EpisodeSampler(
            traces_of(self.training),
            writers_of(self.training, self.recipe.batch.shares),
            self._episodes,
            self.recipe.pen_variation,
            seed=self.recipe.seed,
        )

    @property
    def _episodes(self) -> EpisodeConfig:
        if self.recipe.episodes is None:
            raise TrainingError("the recipe has no episodes", field="episodes")
        return self.recipe.episodes

    def _build_optimizer(self) -> torch.optim.Optimizer:
        # The scales and thresholds of the scores are no weights: decay would pull them to zero.
        plan = self.recipe.optimisation
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters())},
            {"params": list(self.objective.parameters()), "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=plan.rate, weight_decay=plan.weight_decay)

    def _losses(self) -> tuple[Tensor, dict[str, float]]:
        frames, lengths = self.sampler.batch(self.step)
        embeddings, learned = embed_by_length(self.network, frames, lengths, bf16=self.recipe.optimisation.bf16)
        found: tuple[Tensor, dict[str, float]] = self.objective(embeddings, learned, (lengths + 1) // 2)
        return found


def train_members(
    recipe: Recipe,
    training: StrokeSet,
    background: StrokeSet,
    work: Path,
    report: Callable[[int, int, dict[str, float]], None],
    first: Callable[[Recipe, Path], Mapping[str, Tensor] | None] = lambda member, folder: None,
) -> Trained:
    """Train (or continue) the recipe's members one after another, each in a folder of its own, and put them together.

    `first` tells the weights that a member begins from, None for random ones. The development figures are those of the
    mean member.
    """
    found: list[Trained] = []
    for number in range(recipe.members):

        def told(step: int, steps: int, losses: dict[str, float], before: int = number) -> None:
            report(before * steps + step, recipe.members * steps, losses)

        member = dataclasses.replace(recipe, seed=recipe.seed + number)
        trainer = Trainer if recipe.episodes is None else EpisodeTrainer
        folder = work / f"member-{number}"
        found.append(trainer(member, training, background, folder, told, initial=first(member, folder)).run())
    return Trained(
        network=PenMembers([cast(PenResidualEncoder, one.network) for one in found]).eval(),
        best_step=found[0].best_step,
        best_eer=float(np.mean([one.best_eer for one in found])),
        best_frr_at_1=float(np.mean([one.best_frr_at_1 for one in found])),
        steps=sum(one.steps for one in found),
    )


def embed_by_length(
    network: PenResidualEncoder, frames: Tensor, lengths: Tensor, *, bf16: bool
) -> tuple[Tensor, Tensor]:
    """Frames (N, 5, T) → embeddings (N, D) and learned frames (N, C, T/2), float32; no padding for short ones."""
    order = torch.argsort(lengths)
    embeddings, learned = [], []
    for part in order.chunk(_PIECES):
        reach = -(-int(lengths[part].max()) // 8) * 8
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            embedded, found = network.embed(frames[part, :, :reach])
        embeddings.append(embedded.float())
        learned.append(functional.pad(found.float(), (0, frames.shape[2] // 2 - found.shape[2])))
    back = torch.argsort(order)
    return torch.cat(embeddings)[back], torch.cat(learned)[back]


def writers_of(strokes: StrokeSet, shares: Mapping[str, float]) -> list[Writer]:
    """Everybody of the set; `shares` weighs the people of a corpus or of a part of it, 1 if not named."""
    labels, forged = strokes.labels.numpy(), strokes.forged.numpy()
    found = []
    for index in range(len(strokes.people)):
        genuine = (labels == index) & ~forged
        rows = genuine.nonzero()[0]
        found.append(
            Writer(
                genuine=rows,
                sessions=tuple(strokes.sessions[row] for row in rows),
                forgeries=((labels == index) & forged).nonzero()[0],
                weight=share_of(strokes.people[index], shares, otherwise=1.0),
            )
        )
    return found
