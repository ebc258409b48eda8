"""Batches in double precision, every loss by name as a recipe builds it, and naive sums with a gradient."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train.loss_term import LossTerm
from train.losses.build import build_loss

Sphere = Callable[..., Tensor]
BuildTerm = Callable[..., nn.Module]
Mean = Callable[[Iterable[Tensor]], Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]


@pytest.fixture(scope="session")
def sphere() -> Sphere:
    """``sphere(count=10, size=5, seed=0)``: unit-norm embeddings (N, D), float64."""

    def draw(count: int = 10, size: int = 5, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return nn.functional.normalize(torch.randn(count, size, generator=generator, dtype=torch.float64), dim=1)

    return draw


@pytest.fixture(scope="session")
def build_term() -> BuildTerm:
    """``build_term("supcon", size=5, people=4, form="in")``: the loss in double precision, its ramp at the end."""

    def build(kind: Any, size: int = 5, people: int = 4, unit_norm: bool = True, **keys: Any) -> nn.Module:
        torch.manual_seed(0)
        loss = build_loss(LossTerm(kind, **keys), size=size, unit_norm=unit_norm, people=people).double()
        if hasattr(loss, "progress"):
            loss.progress(1.0)
        return loss

    return build


@pytest.fixture(scope="session")
def mean() -> Mean:
    """``mean(terms)``: of scalars, 0 of none, summed one by one."""

    def of(terms: Iterable[Tensor]) -> Tensor:
        listed = list(terms)
        return sum(listed, torch.zeros((), dtype=torch.float64)) / max(1, len(listed))

    return of


@pytest.fixture(scope="session")
def with_gradient() -> ValueAndGradient:
    """``with_gradient(loss, x)``: the scalar loss(x), and its gradient at x."""

    def of(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().clone().requires_grad_()
        value = loss(x)
        (gradient,) = torch.autograd.grad(value, x)
        return value.detach(), gradient

    return of
