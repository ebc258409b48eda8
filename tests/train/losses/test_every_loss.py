"""What holds of every loss: gradients, batches in which all or nothing is alike, forgeries, the order of rows."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from train.loss_term import KINDS

BuildTerm = Callable[..., nn.Module]
Sphere = Callable[..., Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 2, 0])
VARIANTS: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in KINDS} | {
    "hadsell2006, hinge of the square": {"kind": "hadsell2006", "form": "hinge_of_square", "margin": 1.3},
    "hadsell2006, hard": {"kind": "hadsell2006", "hard": True, "margin": 1.3},
    "hadsell2006, cosine": {"kind": "hadsell2006", "distance": "cosine", "reducer": "balanced_nonzero"},
    "hadsell2006, squared": {"kind": "hadsell2006", "distance": "squared_euclidean", "reducer": "sum"},
    "hadsell2006, semi-hard": {"kind": "hadsell2006", "miner": "semihard", "margin": 1.3},
    "hadsell2006, easy": {"kind": "hadsell2006", "miner": "easy", "margin": 1.3},
    "chopra2005, hardest": {"kind": "chopra2005", "miner": "hardest", "reducer": "mean"},
    "bromley1993, hard": {"kind": "bromley1993", "miner": "hard", "reducer": "nonzero"},
    "triplet, all": {"kind": "triplet", "miner": "all", "reducer": "mean"},
    "triplet, hard": {"kind": "triplet", "miner": "hard"},
    "triplet, hardest": {"kind": "triplet", "miner": "hardest", "distance": "euclidean", "margin": 1.0},
    "triplet, wide band": {"kind": "triplet", "band": 0.5, "margin": 0.2, "reducer": "mean"},
    "triplet, l1": {"kind": "triplet", "miner": "all", "distance": "l1"},
    "npair, cool": {"kind": "npair", "temperature": 0.05},
    "npair, with l2": {"kind": "npair", "l2": 0.1},
    "supcon, in": {"kind": "supcon", "form": "in"},
    "debiased, cool": {"kind": "debiased", "temperature": 0.05, "prior": 0.3},
    "debiased, no prior": {"kind": "debiased", "prior": 0.0},
    "multi_similarity, all pairs": {"kind": "multi_similarity", "mined": False},
}
DRAWN: dict[str, dict[str, Any]] = {
    "triplet, distance weighted": {"kind": "triplet", "miner": "distance_weighted"},
    "hadsell2006, distance weighted": {"kind": "hadsell2006", "miner": "distance_weighted"},
}
QUEUES: dict[str, dict[str, Any]] = {
    f"{kind}, queue": {"kind": kind, "queue": 7} for kind, keys in KINDS.items() if "queue" in keys
}
EVERY = VARIANTS | DRAWN | QUEUES


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_are_those_of_the_values(build_term: BuildTerm, sphere: Sphere, name: str) -> None:
    loss = build_term(**VARIANTS[name])
    x = sphere(seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda embeddings: loss(embeddings, LABELS), (x,), atol=1e-6)


def poles() -> Tensor:
    """Everyone at one of two opposite points: equal vectors, and vectors as far apart as can be."""
    signs = torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1, 1, -1], dtype=torch.float64)
    return signs[:, None] * nn.functional.normalize(torch.ones(10, 5, dtype=torch.float64), dim=1)


PLACES: dict[str, Callable[[], Tensor]] = {
    "all equal": lambda: poles().abs(),
    "opposite poles": poles,
    "on the axes": lambda: torch.eye(5, dtype=torch.float64).repeat(2, 1),
}
BATCHES: dict[str, list[int]] = {
    "as ever": LABELS.tolist(),
    "no positives": [0, 1, 2, 3, 100, 101, 102, 103, 104, 105],
    "no negatives": [2] * 10,
    "forgeries": [0, 0, 0, 1, 1, 1, 7, 8, 9, 10],
    "forgeries alone": list(range(20, 30)),
}


@pytest.mark.parametrize("labels", BATCHES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", EVERY)
def test_everything_is_finite(build_term: BuildTerm, name: str, place: str, labels: str) -> None:
    for dtype in (torch.float64, torch.float32):
        loss = build_term(**EVERY[name]).to(dtype)
        for _ in range(2):  # the second time, a queue is filled
            x = PLACES[place]().to(dtype).requires_grad_()
            value = loss(x, torch.tensor(BATCHES[labels]))
            (gradient,) = torch.autograd.grad(value, x)
            assert bool(torch.isfinite(value))
            assert bool(torch.isfinite(gradient).all())


SOFTMAX = ("infonce", "ntxent", "supcon", "decoupled", "debiased", "npair", "nce")


@pytest.mark.parametrize("kind", SOFTMAX)
def test_huge_logits_are_finite_and_exact(
    build_term: BuildTerm, with_gradient: ValueAndGradient, sphere: Sphere, kind: str
) -> None:
    """At a temperature of 1e-4 logits reach ±10,000, where every exponential overflows."""
    loss = build_term(kind, temperature=1e-4)
    value, gradient = with_gradient(lambda x: loss(x, LABELS), sphere())
    single = build_term(kind, temperature=1e-4).float()
    in_single, _ = with_gradient(lambda x: single(x, LABELS), sphere().float())
    assert bool(torch.isfinite(gradient).all())
    assert 100.0 < float(value) < 1e5
    assert float(in_single) == pytest.approx(float(value), rel=1e-4)


NOTHING_TO_LEARN: dict[str, tuple[str, ...]] = {
    "no positives": (
        *("nce", "infonce", "ntxent", "supcon", "supcon, in", "decoupled", "debiased", "npair", "multi_similarity"),
        *("triplet", "triplet, all", "triplet, hardest", "hadsell2006, semi-hard", *DRAWN),
    ),
    "no negatives": (
        *("infonce", "decoupled", "debiased", "multi_similarity"),
        *("triplet", "triplet, all", "triplet, hardest", "hadsell2006, semi-hard", *DRAWN),
    ),
    "forgeries alone": ("cosface", "arcface", "supcon", "infonce", "npair", "triplet", "nce"),
}


@pytest.mark.parametrize(
    ("labels", "name"), [(labels, name) for labels, names in NOTHING_TO_LEARN.items() for name in names]
)
def test_where_nothing_is_to_be_learnt_loss_and_gradient_are_zero(
    build_term: BuildTerm, with_gradient: ValueAndGradient, sphere: Sphere, labels: str, name: str
) -> None:
    loss = build_term(**EVERY[name])
    value, gradient = with_gradient(lambda x: loss(x, torch.tensor(BATCHES[labels])), sphere())
    assert float(value) == pytest.approx(0.0, abs=1e-12)
    assert float(gradient.abs().max()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", VARIANTS)
def test_which_label_nobody_shares_is_all_one(build_term: BuildTerm, sphere: Sphere, name: str) -> None:
    loss = build_term(**VARIANTS[name])
    first, second = (torch.tensor([0, 0, 1, 1, 2, 2, *own]) for own in ([7, 8, 9, 10], [400, 31, 5, 12]))
    torch.testing.assert_close(loss(sphere(), first), loss(sphere(), second))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("cosface", "arcface")])
def test_a_forgery_is_pushed_away_from_whom_it_imitates(build_term: BuildTerm, sphere: Sphere, kind: str) -> None:
    """A step downhill moves the forgery off the signatures it lies beside."""
    centres = torch.eye(6, dtype=torch.float64)
    x = centres[[0, 0, 1, 1, 2, 2, 3, 3, 0]] + 0.1 * sphere(9, size=6)
    x[8] += 0.3 * centres[5]
    x = nn.functional.normalize(x, dim=1).requires_grad_()
    loss = build_term(kind, size=6)
    (gradient,) = torch.autograd.grad(loss(x, torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 40])), x)
    along = centres[0] - (centres[0] @ x[8]) * x[8]  # the way to the imitated, on the sphere
    assert float((gradient[8] @ along).detach()) > 0


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(10)))
@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith("npair")])
def test_the_order_of_the_batch_does_not_matter(
    build_term: BuildTerm, sphere: Sphere, name: str, order: list[int]
) -> None:
    loss, x = build_term(**VARIANTS[name]), sphere(seed=6)
    torch.testing.assert_close(loss(x[order], LABELS[order]), loss(x, LABELS))


@pytest.mark.parametrize("name", [*VARIANTS, *QUEUES])
def test_a_step_downhill_lowers_the_loss(build_term: BuildTerm, sphere: Sphere, name: str) -> None:
    loss = build_term(**EVERY[name])
    x = sphere(seed=5).requires_grad_()
    before = loss(x, LABELS)
    (gradient,) = torch.autograd.grad(before, x)
    again = build_term(**EVERY[name])
    assert float(again(x.detach() - 1e-4 * gradient, LABELS).detach()) < float(before.detach())
