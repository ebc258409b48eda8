"""The training loop: batch → augment → embed → objective → step, with EMA, checkpoints, and early stopping.

Every random draw of step n follows from (seed, n) alone, so a run killed and resumed takes the same steps as one that
was not, and the checkpoint need hold no generator.
"""

import copy
import csv
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from encode.errors import TrainingError
from train.augment import build_augmentation
from train.checkpoint import load_checkpoint, save_checkpoint
from train.development import PairRates, development_rates, scale_pixels
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.residual import ResidualConfig, ResidualEncoder
from train.objective import Objective
from train.pixels import PixelSet
from train.recipe import Recipe
from train.samplers import PairSampler, PeopleSampler

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.csv"
CHECKPOINT_EVERY = 100


@dataclass(frozen=True)
class Trained:
    """The best weights found (EMA), where they were found, and the development figure there."""

    network: nn.Module
    best_step: int
    best_eer: float
    best_frr_at_1: float
    steps: int


def build_network(recipe: Recipe) -> nn.Module:
    """The network a recipe names, with weights drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in recipe.network_options.items()
    }
    _, height, width = recipe.steps().shape
    try:
        if recipe.network == "chopra2005":
            return Chopra2005Encoder(**options)
        return ResidualEncoder(ResidualConfig(**({"height": height, "width": width} | options)))
    except (TypeError, ValueError) as error:
        raise TrainingError(str(error).replace("__init__() ", ""), field="network_options") from error


def build_sampler(recipe: Recipe, training: PixelSet) -> PeopleSampler | PairSampler:
    """The sampler a recipe asks for."""
    batch = recipe.batch
    if batch.pairs:
        return PairSampler(training.labels, pairs=batch.pairs, seed=recipe.seed)
    return PeopleSampler(
        training.labels,
        people=batch.people,
        samples=batch.samples,
        singles=batch.singles,
        seed=recipe.seed,
        groups=training.corpus_of,
        shares=batch.shares,
    )


class Trainer:
    """One run of one recipe.

    Parameters
    ----------
    recipe : what to do.
    training, background : people to learn from, and people to stop by, disjoint; without the latter the run goes to its
        end and the last averaged weights count.
    folder : where the checkpoint and the curve go; a run found there is continued.
    report : called after each step with (step, steps, losses).
    """

    def __init__(
        self,
        recipe: Recipe,
        training: PixelSet,
        background: PixelSet | None,
        folder: Path,
        report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, losses: None,
    ) -> None:
        if background is not None and set(training.people) & set(background.people):
            raise TrainingError("training and background people must be disjoint", field="corpus")
        self.recipe, self.training, self.background = recipe, training, background
        self.folder, self.report = folder, report
        self.scale = recipe.steps().scale
        network = build_network(recipe).to(memory_format=torch.channels_last)
        self.network: nn.Module = network
        size = int(network(torch.zeros(2, *recipe.steps().shape)).shape[1])
        self.objective = Objective(
            recipe.losses, size=size, unit_norm=bool(network.unit_norm), people=len(training.people)
        )
        self.average = copy.deepcopy(network).eval()
        parameters = [*self.network.parameters(), *self.objective.parameters()]
        plan = recipe.optimisation
        self.optimizer = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=plan.weight_decay, fused=True)
        self.augment = build_augmentation(recipe.augment, recipe.margin)
        self.sampler = build_sampler(recipe, training)
        self.step = 0
        self.best: dict[str, Any] = {"eer": math.inf, "frr_at_1": math.inf, "step": 0, "weights": None}

    def run(self) -> Trained:
        """Train to the end, or to the early stop; returns the best averaged weights."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        plan = self.recipe.optimisation
        while self.step < plan.steps and not self._stale():
            losses = self._train_step()
            self.step += 1
            self.report(self.step, plan.steps, losses)
            if self.step % plan.evaluate_every == 0 or self.step == plan.steps:
                self._evaluate(losses)
            if self.step % CHECKPOINT_EVERY == 0 or self.step == plan.steps:
                self._save()
        if self.best["weights"] is None:
            raise TrainingError("the run ended before its first evaluation", field="optimisation.steps")
        self.average.load_state_dict(self.best["weights"])
        return Trained(self.average, self.best["step"], self.best["eer"], self.best["frr_at_1"], self.step)

    def _train_step(self) -> dict[str, float]:
        plan = self.recipe.optimisation
        torch.manual_seed(_mix(self.recipe.seed, self.step))
        rows = self.sampler.batch(self.step)
        with torch.no_grad():
            pixels: Tensor = scale_pixels(self.augment(self.training.pixels[rows]), self.scale)
        rate = plan.rate * _schedule(self.step, plan.steps, plan.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.objective.progress(self.step / plan.steps)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            embeddings = self.network(pixels.contiguous(memory_format=torch.channels_last))
        if isinstance(self.sampler, PairSampler):
            loss, values = self.objective.of_pairs(embeddings.float())
        else:
            loss, values = self.objective(embeddings.float(), self.training.labels[rows])
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss is not finite at step {self.step}", field="optimisation.rate", fix="lower the rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        self.optimizer.step()
        self._update_average()
        terms: dict[str, float] = values
        return terms

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first: an average that still holds the random start would stop the run early.
        decay = min(self.recipe.optimisation.ema, (1.0 + self.step) / (10.0 + self.step))
        for average, current in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if average.dtype.is_floating_point:
                average.lerp_(current, 1.0 - decay)
            else:
                average.copy_(current)

    def _evaluate(self, losses: dict[str, float]) -> None:
        rates = PairRates(math.nan, math.nan)
        if self.background is not None:
            rates = development_rates(self.average, self.background, self.scale, bf16=self.recipe.optimisation.bf16)
        if rates.eer < self.best["eer"] or self.background is None:
            weights = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best = {"eer": rates.eer, "frr_at_1": rates.frr_at_1, "step": self.step, "weights": weights}
        row = {"step": self.step, "eer": rates.eer, "frr_at_1": rates.frr_at_1, **losses}
        curve = self.folder / CURVE
        fresh = not curve.exists() or curve.stat().st_size == 0
        with curve.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" for key, value in row.items()})

    def _stale(self) -> bool:
        plan = self.recipe.optimisation
        if self.background is None:
            return False
        return self.step - int(self.best["step"]) >= plan.patience * plan.evaluate_every

    def _save(self) -> None:
        save_checkpoint(
            self.folder / CHECKPOINT,
            {
                "recipe": repr(self.recipe),
                "people": self._people(),
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "objective": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
            },
        )

    def _people(self) -> str:
        """SHA-256 over who is trained on, in order, and on how many samples: labels mean nothing for other people."""
        learned = "\0".join([str(len(self.training.labels)), *self.training.people])
        return hashlib.sha256(learned.encode()).hexdigest()

    def _resume(self) -> None:
        state = load_checkpoint(self.folder / CHECKPOINT)
        if state is None:
            (self.folder / CURVE).unlink(missing_ok=True)
            return
        if state.get("recipe") != repr(self.recipe):
            raise TrainingError(
                "the checkpoint here belongs to another recipe", field="out", fix="use another folder or delete it"
            )
        if state.get("people", self._people()) != self._people():
            raise TrainingError(
                "the checkpoint here learned from other people", field="out", fix="use another folder or delete it"
            )
        self.step, self.best = state["step"], state["best"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        _forget_after(self.folder / CURVE, self.step)


def _forget_after(curve: Path, step: int) -> None:
    """Drop rows written after the checkpoint, or cut short by a kill: those steps will be taken, and written, again."""
    if not curve.exists():
        return
    whole = [line for line in curve.read_text().splitlines(keepends=True) if line.endswith("\n")]
    curve.write_text("".join(whole[:1] + [row for row in whole[1:] if int(row.partition(",")[0]) <= step]))


def _mix(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{step}".encode(), digest_size=7).digest())


def _schedule(step: int, steps: int, warmup: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
