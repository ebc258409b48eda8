"""Every loss against a plain double loop over the pairs of the batch, in double precision."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from train.losses.bromley1993 import CosineTargets
from train.losses.chopra2005 import ExponentialContrastive
from train.losses.cosface import CosFace
from train.losses.distance import CosineDistance, Distance, EuclideanDistance, L1Distance
from train.losses.hadsell2006 import MarginContrastive
from train.losses.pairs import loss_of_pairs, pair_masks
from train.losses.reducer import REDUCERS, tally
from train.losses.supcon import SupCon

Formula = Callable[[float], float]

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
DISTANCES: dict[str, Distance] = {
    "l1": L1Distance(),
    "euclidean": EuclideanDistance(unit_norm=False),
    "unit euclidean": EuclideanDistance(unit_norm=True),
    "cosine": CosineDistance(),
}


def bounded(count: int = 8, size: int = 5, seed: int = 0) -> Tensor:
    """Embeddings (N, D) with values in (−1, 1), float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, size, generator=generator, dtype=torch.float64) * 2 - 1


def on_sphere(count: int = 8, size: int = 5, seed: int = 0) -> Tensor:
    return nn.functional.normalize(bounded(count, size, seed), dim=1)


def apart(a: Tensor, b: Tensor, kind: str) -> float:
    """The distance of two vectors, value by value."""
    differences = [float(left) - float(right) for left, right in zip(a, b, strict=True)]
    if kind == "l1":
        return sum(abs(difference) for difference in differences)
    if kind == "cosine":
        product = sum(float(left) * float(right) for left, right in zip(a, b, strict=True))
        return 1.0 - product / math.sqrt(sum(float(left) ** 2 for left in a) * sum(float(right) ** 2 for right in b))
    return math.sqrt(sum(difference**2 for difference in differences))


def over_pairs(x: Tensor, labels: Tensor, kind: str, genuine: Formula, impostor: Formula) -> float:
    """½ mean over genuine pairs + ½ mean over impostor pairs."""
    same, other = [], []
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            distance = apart(x[i], x[j], kind)
            if labels[i] == labels[j]:
                same.append(genuine(distance))
            else:
                other.append(impostor(distance))
    return 0.5 * sum(same) / max(1, len(same)) + 0.5 * sum(other) / max(1, len(other))


@pytest.mark.parametrize("kind", DISTANCES)
def test_distances_are_those_of_all_pairs(kind: str) -> None:
    x = bounded()
    found = DISTANCES[kind].across(x, x)
    for i in range(8):
        for j in range(8):
            # Equal vectors are kept a hair apart, where the square root still has a slope.
            nearest = 1e-4 if "euclidean" in kind else -1e-9
            assert float(found[i, j]) == pytest.approx(max(apart(x[i], x[j], kind), nearest), abs=1e-9)
    torch.testing.assert_close(DISTANCES[kind].between(x[:4], x[4:]), found[:4, 4:].diagonal())


@pytest.mark.parametrize("kind", DISTANCES)
def test_chosen_distances_have_the_values_and_gradients_of_all(kind: str) -> None:
    """Of two masks, the second as far as a distance; a row at a distance of 0 from another among them."""
    x = bounded()
    x[5] = x[2]
    found = DISTANCES[kind].across(x, x).detach()
    first, second = pair_masks(LABELS)
    within = float(found[second].median()) + 1e-6
    slopes = torch.linspace(-1.0, 2.0, 64, dtype=x.dtype).view(8, 8)
    near, dense = x.clone().requires_grad_(), x.clone().requires_grad_()
    chosen = DISTANCES[kind].among(near, first, second, within)
    kept = second & (found < within)
    torch.testing.assert_close(chosen[0], found[first])
    torch.testing.assert_close(chosen[1], found[kept])
    torch.autograd.backward((chosen[0] * slopes[first]).sum() + (chosen[1] * slopes[kept]).sum())
    torch.autograd.backward((DISTANCES[kind].across(dense, dense) * slopes * (first | kept)).sum())
    torch.testing.assert_close(near.grad, dense.grad)
    everything = DISTANCES[kind].among(x, first, second)
    assert [len(part) for part in everything] == [int(first.sum()), int(second.sum())]


@pytest.mark.parametrize("kind", DISTANCES)
def test_no_two_outputs_lie_further_apart_than_the_bound(kind: str) -> None:
    corners = torch.tensor([[1.0] * 7, [-1.0] * 7], dtype=torch.float64)
    if kind.startswith("unit"):
        corners = nn.functional.normalize(corners, dim=1)
    assert float(DISTANCES[kind].across(corners, corners).max()) == pytest.approx(DISTANCES[kind].bound(7))


@pytest.mark.parametrize("kind", ["l1", "euclidean"])
def test_the_2005_loss_is_its_equation(kind: str) -> None:
    x = bounded()
    q = 2.0 * 5 if kind == "l1" else 2.0 * math.sqrt(5)
    expected = over_pairs(x, LABELS, kind, lambda e: 2.0 / q * e**2, lambda e: 2.0 * q * math.exp(-2.77 / q * e))
    assert float(ExponentialContrastive(DISTANCES[kind], 5)(x, LABELS)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["l1", "euclidean"])
def test_the_2006_loss_is_its_equation(kind: str) -> None:
    x = bounded()
    expected = over_pairs(x, LABELS, kind, lambda d: 0.5 * d**2, lambda d: 0.5 * max(0.0, 1.7 - d) ** 2)
    assert float(MarginContrastive(DISTANCES[kind], 1.7)(x, LABELS)) == pytest.approx(expected, abs=1e-6)


def test_hard_impostors_alone_share_the_impostors_half() -> None:
    x, margin = bounded(), 1.2
    inside = [
        0.5 * (margin - apart(x[i], x[j], "l2")) ** 2
        for i in range(8)
        for j in range(i + 1, 8)
        if LABELS[i] != LABELS[j] and apart(x[i], x[j], "l2") < margin
    ]
    genuine = over_pairs(x, LABELS, "l2", lambda d: 0.5 * d**2, lambda d: 0.0)
    assert 0 < len(inside) < 23
    found = MarginContrastive(EuclideanDistance(unit_norm=False), margin, hard=True)(x, LABELS)
    assert float(found) == pytest.approx(genuine + 0.5 * sum(inside) / len(inside), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_supcon_is_its_equation(temperature: float) -> None:
    """Khosla et al. 2020, eq. 2: for each anchor the mean over its positives of −log softmax."""
    x = on_sphere()
    terms = []
    for i in range(8):
        others = [a for a in range(8) if a != i]
        positives = [p for p in others if LABELS[p] == LABELS[i]]
        if not positives:
            continue
        total = sum(math.exp(float(x[i] @ x[a]) / temperature) for a in others)
        logs = [math.log(math.exp(float(x[i] @ x[p]) / temperature) / total) for p in positives]
        terms.append(-sum(logs) / len(positives))
    assert len(terms) == 7
    assert float(SupCon(temperature)(x, LABELS)) == pytest.approx(sum(terms) / len(terms), abs=1e-6)


@pytest.mark.parametrize("target", [-1.0, -0.9])
def test_the_1993_loss_is_the_squared_error_of_the_cosine(target: float) -> None:
    x = bounded()
    expected = over_pairs(x, LABELS, "cosine", lambda d: (1 - d - 1) ** 2, lambda d: (1 - d - target) ** 2)
    assert float(CosineTargets(target)(x, LABELS)) == pytest.approx(expected, abs=1e-9)
    left, right, impostor = x[:4], x[4:], [False, True, True, False]
    terms = [
        (1 - apart(a, b, "cosine") - (target if y else 1.0)) ** 2 for a, b, y in zip(left, right, impostor, strict=True)
    ]
    found = loss_of_pairs(CosineTargets(target), left, right, torch.tensor(impostor))
    assert float(found) == pytest.approx(sum(terms) / 4, abs=1e-9)


def test_pairs_at_their_target_cost_nothing() -> None:
    x = torch.tensor([[3.0, 0.0], [0.5, 0.0], [-2.0, 0.0]])
    assert float(CosineTargets()(x, torch.tensor([0, 0, 1]))) == pytest.approx(0.0, abs=1e-6)


def test_the_1993_loss_is_finite_where_an_embedding_is_zero() -> None:
    x = bounded().clone()
    x[2], x[5] = 0.0, 0.0
    x.requires_grad_()
    loss = CosineTargets()
    for value in (loss(x, LABELS), loss_of_pairs(loss, x[:4], x[4:], torch.tensor([0, 1, 0, 1]))):
        (gradient,) = torch.autograd.grad(value, x)
        assert math.isfinite(float(value.detach()))
        assert bool(torch.isfinite(gradient).all())
    assert float(CosineDistance().across(x.detach(), x.detach())[2, 0]) == 1.0


@pytest.mark.parametrize(("done", "margin"), [(0.0, 0.0), (0.15, 0.175), (0.3, 0.35), (1.0, 0.35)])
def test_cosface_is_its_equation_with_a_margin_that_grows(done: float, margin: float) -> None:
    loss = CosFace(people=4, size=5, scale=24.0, margin=0.35, ramp=0.3).double()
    loss.progress(done)
    assert loss.margin == pytest.approx(margin)
    x = on_sphere()
    centres = loss.weight.tolist()
    terms = []
    for i in range(8):
        cosines = [
            sum(float(a) * b for a, b in zip(x[i], centre, strict=True)) / math.sqrt(sum(b * b for b in centre))
            for centre in centres
        ]
        logits = [24.0 * (cosine - (margin if j == int(LABELS[i]) else 0.0)) for j, cosine in enumerate(cosines)]
        terms.append(-math.log(math.exp(logits[int(LABELS[i])]) / sum(math.exp(logit) for logit in logits)))
    assert float(loss(x, LABELS).detach()) == pytest.approx(sum(terms) / 8, abs=1e-6)


def test_cosface_without_a_ramp_has_its_margin_at_once() -> None:
    loss = CosFace(people=3, size=4, margin=0.3, ramp=0.0)
    loss.progress(0.0)
    assert loss.margin == 0.3


@pytest.mark.parametrize("kind", ["l1", "euclidean"])
def test_drawn_pairs_are_averaged_as_the_papers_do(kind: str) -> None:
    left, right = bounded(6, seed=1), bounded(6, seed=2)
    impostor = torch.tensor([0, 1, 0, 1, 1, 1])
    loss = ExponentialContrastive(DISTANCES[kind], 5)
    expected = 0.0
    for a, b, y in zip(left, right, impostor, strict=True):
        energy = apart(a, b, kind)
        expected += 2 * loss.q * math.exp(-2.77 / loss.q * energy) if y else 2 / loss.q * energy**2
    assert float(loss_of_pairs(loss, left, right, impostor)) == pytest.approx(expected / 6, abs=1e-6)


LOSSES: dict[str, Callable[[], nn.Module]] = {
    "chopra2005, l1": lambda: ExponentialContrastive(L1Distance(), 5),
    "chopra2005, euclidean": lambda: ExponentialContrastive(EuclideanDistance(unit_norm=False), 5),
    "bromley1993": lambda: CosineTargets(-0.9),
    "hadsell2006": lambda: MarginContrastive(EuclideanDistance(unit_norm=False), 1.7),
    "hadsell2006, hard": lambda: MarginContrastive(EuclideanDistance(unit_norm=False), 1.7, hard=True),
    "supcon": lambda: SupCon(0.5),
    "cosface": lambda: CosFace(people=4, size=5).double(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_values(name: str) -> None:
    torch.manual_seed(0)
    loss = LOSSES[name]()
    x = bounded(seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda embeddings: loss(embeddings, LABELS), (x,))


@pytest.mark.parametrize("name", LOSSES)
def test_equal_embeddings_have_a_finite_loss_and_gradient(name: str) -> None:
    torch.manual_seed(0)
    loss = LOSSES[name]()
    x = torch.full((8, 5), 0.4, dtype=torch.float64, requires_grad=True)
    value = loss(x, LABELS)
    value.backward()
    assert x.grad is not None
    assert math.isfinite(float(value.detach()))
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [2, 2, 2, 2]], ids=["no genuine pair", "no impostor pair"])
def test_a_batch_of_one_kind_of_pair_has_a_finite_loss(name: str, labels: list[int]) -> None:
    torch.manual_seed(0)
    x = bounded(4, seed=4).requires_grad_()
    value = LOSSES[name]()(x, torch.tensor(labels))
    value.backward()
    assert x.grad is not None
    assert math.isfinite(float(value.detach()))
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cosface"])
def test_the_order_of_the_batch_does_not_matter(name: str) -> None:
    loss, order = LOSSES[name](), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(bounded()[order], LABELS[order]), loss(bounded(), LABELS))


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_downhill_lowers_the_loss(name: str) -> None:
    torch.manual_seed(0)
    loss = LOSSES[name]()
    x = bounded(seed=5).requires_grad_()
    before = loss(x, LABELS)
    (gradient,) = torch.autograd.grad(before, x)
    assert float(loss(x.detach() - 1e-3 * gradient, LABELS).detach()) < float(before.detach())


def test_every_pair_is_counted_once() -> None:
    genuine, impostor = pair_masks(LABELS)
    assert int(genuine.sum()) == 3 + 1 + 0 + 1
    assert int(impostor.sum()) == 8 * 7 // 2 - 5
    assert not bool((genuine & impostor).any())
    assert not bool((genuine | impostor).tril().any())


def test_a_mean_over_nothing_is_zero_with_no_gradient() -> None:
    values = torch.tensor([[1.0, 9.0], [2.0, 3.0]], requires_grad=True)
    nothing = REDUCERS["mean"]([tally(values, torch.zeros(2, 2, dtype=torch.bool))])
    nothing.backward()
    assert float(nothing.detach()) == 0.0
    assert values.grad is not None
    assert float(values.grad.abs().sum()) == 0.0
    assert float(REDUCERS["mean"]([tally(values.detach(), torch.tensor([[True, False], [True, False]]))])) == 1.5


def test_both_kinds_of_pair_weigh_the_same() -> None:
    ones, zeros = torch.ones(8, 8), torch.zeros(8, 8)
    genuine, impostor = pair_masks(LABELS)
    assert float(REDUCERS["balanced"]([tally(ones, genuine), tally(zeros, impostor)])) == 0.5
    assert float(REDUCERS["balanced"]([tally(zeros, genuine), tally(ones, impostor)])) == 0.5
