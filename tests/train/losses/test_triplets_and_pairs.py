"""Triplet and pair losses over what each miner finds, against a list of the triplets, values and gradients alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

BuildTerm = Callable[..., nn.Module]
Sphere = Callable[..., Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]
Apart = Callable[[Tensor, Tensor], Tensor]
Triplet = tuple[int, int, int]

LABELS = [0, 0, 0, 1, 1, 2, 3, 3, 9, 10, 0, 2]
APART: dict[str, Apart] = {
    "euclidean": lambda a, b: (a - b).square().sum().sqrt(),
    "squared_euclidean": lambda a, b: (a - b).square().sum(),
    "cosine": lambda a, b: 1 - (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt(),
    "l1": lambda a, b: (a - b).abs().sum(),
}


def triplets(x: Tensor, apart: Apart, miner: str, band: float) -> Iterator[Triplet]:
    """(anchor, positive, negative), by comparing distances one by one."""
    x, everyone = x.detach(), range(len(LABELS))
    for a in everyone:
        near = [p for p in everyone if p != a and LABELS[p] == LABELS[a]]
        far = [n for n in everyone if LABELS[n] != LABELS[a]]
        if miner == "hardest":
            if near:
                yield (
                    a,
                    max(near, key=lambda p, a=a: float(apart(x[a], x[p]))),  # type: ignore[misc]
                    min(far, key=lambda n, a=a: float(apart(x[a], x[n]))),  # type: ignore[misc]
                )
            continue
        for p in near:
            for n in far:
                beyond = float(apart(x[a], x[n]) - apart(x[a], x[p]))
                kept = {"all": True, "hard": beyond <= 0, "semihard": 0 < beyond <= band, "easy": beyond > band}
                if kept[miner]:
                    yield a, p, n


def reduced(terms: list[Tensor], reducer: str) -> Tensor:
    found = torch.stack(terms).sum()
    if reducer == "sum":
        return found
    return found / (len(terms) if reducer == "mean" else max(1, sum(bool(term.detach() > 0) for term in terms)))


@pytest.mark.parametrize("reducer", ["mean", "nonzero", "sum"])
@pytest.mark.parametrize("miner", ["all", "hard", "semihard", "hardest"])
@pytest.mark.parametrize("distance", APART)
def test_the_triplet_loss_is_its_formula(
    build_term: BuildTerm,
    sphere: Sphere,
    with_gradient: ValueAndGradient,
    distance: Any,
    miner: str,
    reducer: str,
) -> None:
    def formula(x: Tensor) -> Tensor:
        apart = APART[distance]
        return reduced(
            [
                torch.relu(apart(x[a], x[p]) - apart(x[a], x[n]) + 0.4)
                for a, p, n in triplets(x, apart, miner, band=0.6)
            ],
            reducer,
        )

    band = {"band": 0.6} if miner == "semihard" else {}
    loss = build_term("triplet", distance=distance, miner=miner, reducer=reducer, margin=0.4, **band)
    expected, slope = with_gradient(formula, sphere(12))
    value, gradient = with_gradient(lambda x: loss(x, torch.tensor(LABELS)), sphere(12))
    torch.testing.assert_close(value, expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(gradient, slope, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("form", ["squared_hinge", "hinge_of_square"])
@pytest.mark.parametrize("miner", ["all", "hard", "semihard", "easy", "hardest"])
@pytest.mark.parametrize("reducer", ["balanced", "balanced_nonzero", "mean", "nonzero", "sum"])
def test_a_mined_pair_loss_counts_every_pair_as_often_as_its_triplets_do(
    build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient, form: str, miner: str, reducer: str
) -> None:
    apart = APART["euclidean"]

    def formula(x: Tensor) -> Tensor:
        found = list(triplets(x, apart, miner, band=0.3))
        genuine = [0.5 * apart(x[a], x[p]) ** 2 for a, p, _ in found]
        distances = [apart(x[a], x[n]) for a, _, n in found]
        if form == "squared_hinge":
            impostor = [0.5 * torch.relu(1.3 - d) ** 2 for d in distances]
        else:
            impostor = [0.5 * torch.relu(1.3**2 - d**2) for d in distances]
        if not reducer.startswith("balanced"):
            return reduced(genuine + impostor, reducer)
        single = "nonzero" if reducer.endswith("nonzero") else "mean"
        return 0.5 * reduced(genuine, single) + 0.5 * reduced(impostor, single)

    band = {"band": 0.3} if miner in ("semihard", "easy") else {}
    loss = build_term("hadsell2006", miner=miner, reducer=reducer, form=form, margin=1.3, **band)
    expected, slope = with_gradient(formula, sphere(12))
    value, gradient = with_gradient(lambda x: loss(x, torch.tensor(LABELS)), sphere(12))
    torch.testing.assert_close(value, expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(gradient, slope, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("kind", ["chopra2005", "bromley1993", "hadsell2006"])
def test_unmined_pairs_count_once(build_term: BuildTerm, sphere: Sphere, kind: str) -> None:
    """Every unordered pair: half of the ordered pairs that a contrast with the batch itself counts."""
    labels, x = torch.tensor(LABELS), sphere(12)
    once, twice = (build_term(kind, reducer="sum", **keys) for keys in ({}, {"queue": 3}))
    torch.testing.assert_close(2.0 * once(x, labels), twice(x, labels), atol=1e-6, rtol=1e-6)
