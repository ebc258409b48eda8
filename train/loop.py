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
from typing import Any, cast

import torch
from torch import Tensor, nn

from encode.errors import TrainingError
from train.checkpoint import load_checkpoint, save_checkpoint
from train.development import PairRates, development_rates
from train.networks.bromley1993 import INPUT_SHAPE, Bromley1993Encoder
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.pen_residual import PenResidualConfig, PenResidualEncoder
from train.networks.residual import ResidualConfig, ResidualEncoder
from train.objective import Objective
from train.recipe import Optimisation, Recipe
from train.sample_set import SampleSet
from train.samplers import ForgeryPairSampler, PairSampler, PeopleSampler

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
    shape = recipe.steps().shape
    try:
        if recipe.network == "bromley1993":
            if shape != INPUT_SHAPE:
                raise TrainingError(f"the 1993 network reads {INPUT_SHAPE}, not {shape}", field="preprocessing")
            return Bromley1993Encoder(**options)
        if recipe.network == "pen_residual":
            return PenResidualEncoder(PenResidualConfig(**options))
        if recipe.network == "chopra2005":
            return Chopra2005Encoder(**options)
        height, width = shape[-2:]
        return ResidualEncoder(ResidualConfig(**({"height": height, "width": width} | options)))
    except (TypeError, ValueError) as error:
        raise TrainingError(str(error).replace("__init__() ", ""), field="network_options") from error


def build_sampler(recipe: Recipe, training: SampleSet) -> PeopleSampler | PairSampler | ForgeryPairSampler:
    """The sampler a recipe asks for."""
    batch = recipe.batch
    if batch.pairs and batch.forged:
        return ForgeryPairSampler(
            training.labels,
            training.forged,
            pairs=batch.pairs,
            seed=recipe.seed,
            forged_share=batch.forged,
            other_share=batch.others,
        )
    if batch.pairs:
        return PairSampler(training.labels, pairs=batch.pairs, seed=recipe.seed, forged=training.forged)
    return PeopleSampler(
        training.labels,
        people=batch.people,
        samples=batch.samples,
        singles=batch.singles,
        seed=recipe.seed,
        groups=training.corpus_of,
        shares=batch.shares,
        forged=training.forged,
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
        training: SampleSet,
        background: SampleSet | None,
        folder: Path,
        report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, losses: None,
    ) -> None:
        if background is not None and set(training.people) & set(background.people):
            raise TrainingError("training and background people must be disjoint", field="corpus")
        self.recipe, self.training, self.background = recipe, training, background
        self.folder, self.report = folder, report
        network = build_network(recipe).to(memory_format=torch.channels_last)
        self.network: nn.Module = network
        self.objective = self._build_objective(network)
        self.average = copy.deepcopy(network).eval()
        self.optimizer = self._build_optimizer()
        self.sampler = self._build_sampler()
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
        rate = plan.rate * _schedule(plan, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        loss, values = self._losses()
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss is not finite at step {self.step}", field="optimisation.rate", fix="lower the rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        self.optimizer.step()
        self._update_average()
        return values

    def _losses(self) -> tuple[Tensor, dict[str, float]]:
        """The objective on the batch of this step: its total, and the values of its terms."""
        objective = cast(Objective, self.objective)
        rows = self.sampler.batch(self.step)
        with torch.no_grad():
            inputs: Tensor = self.training.drawn(rows, self.recipe)
        objective.progress(self.step / self.recipe.optimisation.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.optimisation.bf16):
            embeddings = self.network(inputs)
        found: tuple[Tensor, dict[str, float]]
        if isinstance(self.sampler, PeopleSampler):
            found = objective(embeddings.float(), self.training.labels[rows])
        else:
            found = objective.of_pairs(embeddings.float(), self.sampler.impostor)
        return found

    def _build_objective(self, network: nn.Module) -> nn.Module:
        size = int(network(torch.zeros(2, *self.recipe.steps().shape)).shape[1])
        return Objective(
            self.recipe.losses, size=size, unit_norm=bool(network.unit_norm), people=len(self.training.people)
        )

    def _build_sampler(self) -> Any:
        return build_sampler(self.recipe, self.training)

    def _build_optimizer(self) -> torch.optim.Optimizer:
        plan = self.recipe.optimisation
        parameters = [*self.network.parameters(), *self.objective.parameters()]
        return torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=plan.weight_decay, fused=True)

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
            rates = development_rates(self.average, self.background, bf16=self.recipe.optimisation.bf16)
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


def _schedule(plan: Optimisation, step: int) -> float:
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    if plan.schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - plan.warmup) / max(1, plan.steps - plan.warmup)))
