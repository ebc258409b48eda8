"""Training heads on embeddings that were computed once, and choosing one: none, linear, or residual.

Each head learns by contrastive losses on batches of P people × K samples, with skilled forgeries as negatives to
everybody where there are any. It is stopped where pairs of background people are told apart best, and the head that
ships is the one behind which the identity model tells them apart best, having none among the choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from train.adapt.head import Head, HeadModule
from train.adapt.rows import Rows
from train.development import pair_rates
from train.embedding import Embedded
from train.identity_choice import Candidate, Measured, choose_identity
from train.loss_term import LossTerm
from train.objective import Objective
from train.samplers import PeopleSampler

RATE = 1e-3
STEPS = 400
EVALUATE_EVERY = 20
PATIENCE = 6
PEOPLE, SAMPLES, FORGERIES = 16, 4, 2


@dataclass(frozen=True)
class HeadPlan:
    """One head to try: `hidden` is None for the linear one; `decay` is AdamW's, towards the identity."""

    hidden: int | None
    decay: float

    def describe(self) -> str:
        """For the report."""
        return f"{'linear' if self.hidden is None else f'residual of {self.hidden}'}, weight decay {self.decay:g}"


PLANS = tuple(HeadPlan(hidden, decay) for hidden in (None, 64) for decay in (0.1, 1.0, 10.0))


@dataclass(frozen=True)
class Chosen:
    """The head that tells background people apart best, how it came about, and the identity models behind it.

    `head` is None where the encoder alone does as well; `measured` is best first; `steps` were taken by the head;
    `alone` is the best identity model behind the encoder without a head.
    """

    head: Head | None
    plan: HeadPlan | None
    steps: int
    measured: list[Measured]
    alone: Measured


def choose_head(
    training: Rows,
    background: Rows,
    candidates: Sequence[Candidate],
    *,
    unit_norm: bool,
    seed: int,
    plans: Sequence[HeadPlan] | None = None,
) -> Chosen:
    """Fit every plan, of `PLANS` unless told, on the training people, and choose on the background people.

    Raises TrainingError.
    """
    without = choose_identity(background.embedded(), candidates, seed=seed)
    best = Chosen(None, None, 0, without, without[0])
    for plan in PLANS if plans is None else plans:
        head, taken = fit_head(training, background, plan, unit_norm=unit_norm, seed=seed, steps=STEPS)
        if head is None:
            continue
        measured = choose_identity(background.through(head).embedded(), candidates, seed=seed)
        if measured[0].cost < best.measured[0].cost:
            best = Chosen(head, plan, taken, measured, without[0])
    return best


def fit_head(
    training: Rows, background: Rows, plan: HeadPlan, *, unit_norm: bool, seed: int, steps: int
) -> tuple[Head | None, int]:
    """The head where pairs of background people were told apart best, and the step; None where that was the start."""
    learned, held = training.embedded(), background.embedded()
    x, labels = torch.from_numpy(_vectors(learned)), torch.from_numpy(learned.labels)
    module = HeadModule(x.shape[1], plan.hidden, unit_norm=unit_norm, seed=seed)
    # Distances of other embeddings are brought to the margin's own scale, 1 between two people on average.
    scale = 1.0 if unit_norm else 1.0 / _typical_distance(x, labels)
    terms = (LossTerm(kind="hadsell2006", margin=1.0), *([LossTerm(kind="supcon")] if unit_norm else []))
    objective = Objective(terms, size=x.shape[1], unit_norm=unit_norm, people=int(labels.max()) + 1)
    sampler = PeopleSampler(
        labels,
        people=PEOPLE,
        samples=SAMPLES,
        seed=seed,
        forged=torch.from_numpy(learned.forged),
        forgeries=FORGERIES if learned.forged.any() else 0,
    )
    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=plan.decay)
    best: tuple[float, Head | None, int] = (_cost(_vectors(held), held), None, 0)
    for step in range(1, steps + 1):
        rows = sampler.batch(step)
        loss, _ = objective(scale * module(x[rows]), sampler.labels_of(rows))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        if step % EVALUATE_EVERY == 0:
            head = module.fitted()
            cost = _cost(head.apply(_vectors(held)), held)
            if cost < best[0]:
                best = (cost, head, step)
            if step - best[2] >= PATIENCE * EVALUATE_EVERY:
                break
    return best[1], best[2]


def _vectors(embedded: Embedded) -> NDArray[np.float32]:
    return np.ascontiguousarray(embedded.x[:, : embedded.vector], np.float32)


def _cost(vectors: NDArray[np.float32], held: Embedded) -> float:
    rates = pair_rates(vectors, held.labels, held.forged)
    return 0.5 * (rates.eer + rates.frr_at_1)


def _typical_distance(x: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean Euclidean distance of two people's samples, of the first thousand."""
    some, own = x[:1000], labels[:1000]
    apart = torch.cdist(some, some)[own[:, None] != own[None, :]]
    return max(float(apart.mean()), 1e-9)
