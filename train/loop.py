"""The training loop: batch → augment → embed → objective → step, with EMA, checkpoints, and early stopping.

Every random draw of step n follows from (seed, n) alone, so a run killed and resumed takes the same steps as one that
was not, and the checkpoint need hold no generator.
"""

import copy
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from encode.errors import TrainingError
from train.build import build_network, build_sampler, embedding_size
from train.checkpoint import load_checkpoint, save_checkpoint
from train.curve import CURVE, add_row, forget_after
from train.development import PairRates, development_rates
from train.distributed import Ranks
from train.objective import Objective
from train.recipe import Optimisation, Recipe
from train.sample_set import SampleSet
from train.samplers import PeopleSampler
from train.teacher import teacher_loss

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_EVERY = 100


@dataclass(frozen=True)
class Trained:
    """The best weights found (EMA), where they were found, and the development figure there.

    `begun` says in words which run's weights it began from, empty for a run from nothing.
    """

    network: nn.Module
    best_step: int
    best_eer: float
    best_frr_at_1: float
    steps: int
    begun: str = ""


class Trainer:
    """One run of one recipe.

    Parameters
    ----------
    recipe : what to do.
    training, background : people to learn from, and people to stop by, disjoint; without the latter the run goes to its
        end and the last averaged weights count.
    folder : where the checkpoint and the curve go; a run found there is continued.
    report : called after each step with (step, steps, losses).
    initial : weights to begin from, by the names of the network's state, all of them.
    targets : a teacher's embedding of every training sample, (N, D), NaN where there is none (`train.teacher`).
    ranks : this process among those of the run; the first alone writes and reports.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: SampleSet,
        background: SampleSet | None,
        folder: Path,
        report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, losses: None,
        *,
        initial: Mapping[str, Tensor] | None = None,
        targets: Tensor | None = None,
        ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    ) -> None:
        if background is not None and set(training.people) & set(background.people):
            raise TrainingError("training and background people must be disjoint", field="corpus")
        self.recipe, self.training, self.background = recipe, training, background
        self.folder, self.report = folder, report
        network = build_network(recipe)
        if initial is not None:
            network.load_state_dict(dict(initial))
        network = network.to(memory_format=torch.channels_last)
        self.network: nn.Module = network
        self.targets, self.ranks = targets, ranks
        self._shared = ranks.wrapped(network)
        self.objective = self._build_objective(network)
        self.average = copy.deepcopy(network).eval()
        self.optimizer = self._build_optimizer()
        self.sampler = self._build_sampler()
        self.step = 0
        self.begun = ""
        self.best: dict[str, Any] = {"eer": math.inf, "frr_at_1": math.inf, "step": 0, "weights": None}

    def run(self) -> Trained:
        """Train to the end, or to the early stop; returns the best averaged weights."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self.ranks.wait()
        plan = self.recipe.optimisation
        while self.step < plan.steps and not self._stale():
            losses = self._train_step()
            self.step += 1
            if self.ranks.first:
                self.report(self.step, plan.steps, losses)
            if self.step % plan.evaluate_every == 0 or self.step == plan.steps:
                self._evaluate(losses)
            if self.step % CHECKPOINT_EVERY == 0 or self.step == plan.steps or self._stale():
                self._save()
        if self.best["weights"] is None:
            raise TrainingError("the run ended before its first evaluation", field="optimisation.steps")
        self.average.load_state_dict(self.best["weights"])
        return Trained(self.average, self.best["step"], self.best["eer"], self.best["frr_at_1"], self.step, self.begun)

    def _train_step(self) -> dict[str, float]:
        plan = self.recipe.optimisation
        torch.manual_seed(_mix(self.recipe.seed, self.step, self.ranks.rank))
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
            inputs: Tensor = self.training.drawn(self.ranks.share(rows), self.recipe)
        objective.progress(self.step / self.recipe.optimisation.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.optimisation.bf16):
            own = self._shared(inputs)
        embeddings = self.ranks.gathered(own.float())
        found: tuple[Tensor, dict[str, float]]
        if isinstance(self.sampler, PeopleSampler):
            keys = self._keys(rows) if objective.needs_keys else None
            self._draw_alike()
            found = objective(embeddings, self.sampler.labels_of(rows), keys)
        else:
            found = objective.of_pairs(embeddings, self.sampler.impostor)
        return self._with_teacher(found, embeddings, rows)

    def _draw_alike(self) -> None:
        """What the objective draws, every process draws: they see one batch."""
        if self.ranks.world > 1:
            torch.manual_seed(_mix(self.recipe.seed, self.step))

    def _with_teacher(
        self, found: tuple[Tensor, dict[str, float]], embeddings: Tensor, rows: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        config = self.recipe.teacher
        if config is None or self.targets is None:
            return found
        total, values = found
        taught = teacher_loss(embeddings, self.targets[rows], config.relations)
        return total + config.weight * taught, values | {"teacher": float(taught.detach())}

    @torch.no_grad()
    def _keys(self, rows: Tensor) -> Tensor:
        """Embeddings of other views of the same samples by the average network, for momentum queues."""
        inputs = self.training.drawn(self.ranks.share(rows), self.recipe)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.optimisation.bf16):
            found: Tensor = self.average(inputs)
        return self.ranks.gathered(found.float())

    def _build_objective(self, network: nn.Module) -> nn.Module:
        size = embedding_size(network, self.recipe.steps().shape)
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
            rates = self._development_rates(self.background)
        if rates.eer < self.best["eer"] or self.background is None:
            weights = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best = {"eer": rates.eer, "frr_at_1": rates.frr_at_1, "step": self.step, "weights": weights}
        if self.ranks.first:
            add_row(self.folder, {"step": self.step, "eer": rates.eer, "frr_at_1": rates.frr_at_1, **losses})

    def _development_rates(self, people: SampleSet) -> PairRates:
        """The first process's figures, in every process: they decide which weights count and when to stop."""
        found = torch.zeros(2, dtype=torch.float64)
        if self.ranks.first:
            rates = development_rates(self.average, people, bf16=self.recipe.optimisation.bf16)
            found = torch.tensor([rates.eer, rates.frr_at_1], dtype=torch.float64)
        return PairRates(*self.ranks.agreed(found).tolist())

    def _stale(self) -> bool:
        plan = self.recipe.optimisation
        if self.background is None:
            return False
        return self.step - int(self.best["step"]) >= plan.patience * plan.evaluate_every

    def _save(self) -> None:
        if not self.ranks.first:
            return
        save_checkpoint(
            self.folder / CHECKPOINT,
            {
                "name": self.recipe.name,
                "recipe": repr(self.recipe),
                "people": self.people_digest(),
                "teacher": self._teacher(),
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "objective": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
            },
        )

    def people_digest(self) -> str:
        """SHA-256 over who is trained on, in order, and on how many samples: labels mean nothing for other people."""
        learned = "\0".join([str(len(self.training.labels)), *self.training.people])
        return hashlib.sha256(learned.encode()).hexdigest()

    def _teacher(self) -> str | None:
        """SHA-256 of the teacher's targets."""
        return None if self.targets is None else hashlib.sha256(self.targets.numpy().tobytes()).hexdigest()

    def _resume(self) -> None:
        state = load_checkpoint(self.folder / CHECKPOINT)
        if state is None:
            if self.ranks.first:
                (self.folder / CURVE).unlink(missing_ok=True)
            return
        if state.get("recipe") != repr(self.recipe):
            raise TrainingError(
                "the checkpoint here belongs to another recipe", field="out", fix="use another folder or delete it"
            )
        if state.get("people", self.people_digest()) != self.people_digest():
            raise TrainingError(
                "the checkpoint here learned from other people", field="out", fix="use another folder or delete it"
            )
        if state.get("teacher", self._teacher()) != self._teacher():
            raise TrainingError(
                "the checkpoint here learned from other embeddings of a teacher",
                field="teacher",
                fix="use another folder or delete it",
            )
        self.step, self.best = state["step"], state["best"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ranks.first:
            forget_after(self.folder, self.step)


def _mix(seed: int, step: int, rank: int = 0) -> int:
    drawn = f"{seed}:{step}:{rank}" if rank else f"{seed}:{step}"
    return int.from_bytes(hashlib.blake2b(drawn.encode(), digest_size=7).digest())


def _schedule(plan: Optimisation, step: int) -> float:
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    if plan.schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - plan.warmup) / max(1, plan.steps - plan.warmup)))
