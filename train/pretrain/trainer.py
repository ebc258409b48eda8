"""Self-supervised pre-training (SimCLR: Chen, Kornblith, Norouzi & Hinton 2020, section 2.1).

    x → two views → network f → projection head g → z / ‖z‖ → NT-Xent over the batch of 2·N views (eq. 1)

Views are drawn as the recipe draws its training samples: faces by `[augment]`; signatures of frames by going over them
once more as the same invented hand (`[pen_variation]`), those of the 1993 features by `[jitter]`. Labels are not looked
at: two samples of one person push each other apart like any others. g is dropped; f's averaged weights go on.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from encode.errors import TrainingError
from train.build import embedding_size
from train.loop import Trainer
from train.losses.ntxent import NTXent
from train.pretrain.config import PretrainConfig
from train.recipe import Recipe
from train.sample_set import SampleSet

FOLDER = "pretrain"
"""Of checkpoint and curve, within the run's own folder."""

_EVALUATIONS = 10


class Projected(nn.Module):
    """NT-Xent behind a head of two layers: embeddings (N, D), labels (N,) → scalar."""

    def __init__(self, embedding: int, config: PretrainConfig) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Linear(embedding, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.size, bias=False)
        )
        self.loss = NTXent(config.temperature)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = self.loss(functional.normalize(self.head(embeddings), dim=1), labels)
        return found


class AnySampler:
    """`samples` of `count` samples a batch, without repeats; batch `step` follows from (seed, step) alone."""

    def __init__(self, count: int, samples: int, seed: int) -> None:
        self.count, self.samples, self.seed = count, min(samples, count), seed

    def batch(self, step: int) -> Tensor:
        """Row indices int64 (samples,)."""
        drawn = np.random.default_rng((self.seed, step)).choice(self.count, self.samples, replace=False)
        return torch.from_numpy(drawn)


class PretrainTrainer(Trainer):
    """As :class:`train.loop.Trainer`, of a recipe with `[pretrain]` and samples of whom nobody needs to be known."""

    objective: Projected
    sampler: AnySampler

    def _losses(self) -> tuple[Tensor, dict[str, float]]:
        rows = self.sampler.batch(self.step)
        labels = torch.arange(len(rows)).repeat(2)
        with torch.no_grad():
            inputs = self.training.drawn(rows.repeat(2), self.recipe)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.optimisation.bf16):
            embeddings = self.network(inputs)
        loss = self.objective(embeddings.float(), labels)
        return loss, {"ntxent": float(loss.detach())}

    def _build_objective(self, network: nn.Module) -> Projected:
        return Projected(embedding_size(network, self.recipe.steps().shape), _config(self.recipe))

    def _build_sampler(self) -> AnySampler:
        return AnySampler(len(self.training.labels), _config(self.recipe).samples, self.recipe.seed)


def pretrained(
    recipe: Recipe,
    samples: SampleSet,
    work: Path,
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, losses: None,
) -> Mapping[str, Tensor]:
    """Weights to begin from, by the names of the network's state: pre-train (or continue, or just reload) on `samples`.

    Checkpoint and curve are in `work` / "pretrain". Raises TrainingError as the training loop.
    """
    config = _config(recipe)
    plan = dataclasses.replace(
        recipe.optimisation,
        steps=config.steps,
        rate=config.rate,
        weight_decay=config.weight_decay,
        warmup=config.warmup,
        schedule="cosine",
        evaluate_every=max(1, config.steps // _EVALUATIONS),
    )
    before = dataclasses.replace(recipe, optimisation=plan)
    return PretrainTrainer(before, samples, None, work / FOLDER, report).run().network.state_dict()


def _config(recipe: Recipe) -> PretrainConfig:
    if recipe.pretrain is None:
        raise TrainingError("the recipe has no pre-training", field="pretrain")
    return recipe.pretrain
