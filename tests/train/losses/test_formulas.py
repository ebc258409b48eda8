"""Every loss of similarities against its formula, written out over single rows, values and gradients alike."""

import math
from collections.abc import Callable, Iterable, Iterator

import pytest
import torch
from torch import Tensor, nn

BuildTerm = Callable[..., nn.Module]
Sphere = Callable[..., Tensor]
Mean = Callable[[Iterable[Tensor]], Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]

LABELS = [0, 0, 0, 1, 1, 2, 3, 3, 9, 10, 0, 2]
"""Four, two, two and two samples of people, and two forgeries that nobody shares a label with."""
TEMPERATURE = 0.3


def positives(i: int) -> list[int]:
    return [p for p in range(len(LABELS)) if p != i and LABELS[p] == LABELS[i]]


def negatives(i: int) -> list[int]:
    return [n for n in range(len(LABELS)) if LABELS[n] != LABELS[i]]


def pairs() -> Iterator[tuple[int, int]]:
    yield from ((i, p) for i in range(len(LABELS)) for p in positives(i))


def weight(x: Tensor, i: int, j: int) -> Tensor:
    """exp(s_ij/τ)"""
    return torch.exp((x[i] * x[j]).sum() / TEMPERATURE)


def total(terms: Iterable[Tensor]) -> Tensor:
    return sum(terms, torch.zeros((), dtype=torch.float64))


def infonce(x: Tensor, mean: Mean) -> Tensor:
    """van den Oord et al. 2018, eq. 4, with one positive at a time."""
    return mean(
        -torch.log(weight(x, i, p) / (weight(x, i, p) + total(weight(x, i, n) for n in negatives(i))))
        for i, p in pairs()
    )


def ntxent(x: Tensor, mean: Mean) -> Tensor:
    """Chen et al. 2020, eq. 1."""
    return mean(
        -torch.log(weight(x, i, p) / total(weight(x, i, k) for k in range(len(LABELS)) if k != i)) for i, p in pairs()
    )


def supcon_out(x: Tensor, mean: Mean) -> Tensor:
    """Khosla et al. 2020, eq. 2."""
    return mean(
        -mean(
            torch.log(weight(x, i, p) / total(weight(x, i, a) for a in range(len(LABELS)) if a != i))
            for p in positives(i)
        )
        for i in range(len(LABELS))
        if positives(i)
    )


def supcon_in(x: Tensor, mean: Mean) -> Tensor:
    """Khosla et al. 2020, eq. 3."""
    return mean(
        -torch.log(
            mean(weight(x, i, p) / total(weight(x, i, a) for a in range(len(LABELS)) if a != i) for p in positives(i))
        )
        for i in range(len(LABELS))
        if positives(i)
    )


def decoupled(x: Tensor, mean: Mean) -> Tensor:
    """Yeh et al. 2021, eq. 6."""
    return mean(-torch.log(weight(x, i, p) / total(weight(x, i, n) for n in negatives(i))) for i, p in pairs())


def debiased(x: Tensor, mean: Mean, prior: float = 0.1) -> Tensor:
    """Chuang et al. 2020, eq. 7–8, with M = 1."""

    def others(i: int, p: int) -> Tensor:
        number = len(negatives(i))
        found = total(weight(x, i, n) for n in negatives(i)) / number
        estimate = (found - prior * weight(x, i, p)) / (1 - prior)
        return number * torch.clamp_min(estimate, math.exp(-1 / TEMPERATURE))

    return mean(-torch.log(weight(x, i, p) / (weight(x, i, p) + others(i, p))) for i, p in pairs())


def debiased_by_half(x: Tensor, mean: Mean) -> Tensor:
    """A prior so great that the least value takes over for near pairs."""
    return debiased(x, mean, 0.6)


def nce(x: Tensor, mean: Mean) -> Tensor:
    """Gutmann & Hyvärinen 2010: the mean log-likelihood of data and of ν noise samples for each."""

    def belief(i: int, j: int) -> Tensor:
        ratio = weight(x, i, j) / len(negatives(i))
        return ratio / (1 + ratio)

    return mean(
        -mean(torch.log(belief(i, p)) for p in positives(i)) - total(torch.log(1 - belief(i, n)) for n in negatives(i))
        for i in range(len(LABELS))
        if positives(i)
    )


def multi_similarity(x: Tensor, mean: Mean, mined: bool = True) -> Tensor:
    """Wang et al. 2019, eq. 11, 12 and 15, with α = 2, β = 50, λ = 0.5 and ε = 0.1."""

    def s(i: int, j: int) -> Tensor:
        return (x[i] * x[j]).sum()

    def of_row(i: int) -> Tensor:
        near, far = positives(i), negatives(i)
        if mined:
            far = [n for n in far if near and s(i, n) > min(float(s(i, p).detach()) for p in near) - 0.1]
            near = [p for p in near if s(i, p) < max(float(s(i, n).detach()) for n in negatives(i)) + 0.1]
        pull = torch.log(1 + total(torch.exp(-2 * (s(i, p) - 0.5)) for p in near)) / 2
        return pull + torch.log(1 + total(torch.exp(50 * (s(i, n) - 0.5)) for n in far)) / 50

    return mean(of_row(i) for i in range(len(LABELS)))


def multi_similarity_of_all(x: Tensor, mean: Mean) -> Tensor:
    return multi_similarity(x, mean, mined=False)


def npair(x: Tensor, mean: Mean) -> Tensor:
    """Sohn 2016, eq. 6: first and second samples, then third and fourth; whoever has no partner is a negative."""
    samples = {person: [i for i, label in enumerate(LABELS) if label == person] for person in sorted(set(LABELS))}
    alone = [rows[-1] for rows in samples.values() if len(rows) % 2]
    terms = []
    for turn in range(2):
        tuples = [rows[2 * turn : 2 * turn + 2] for rows in samples.values() if len(rows) >= 2 * turn + 2]
        for anchor, positive in tuples:
            others = [other for _, other in tuples if other != positive] + alone
            shares = (weight(x, anchor, j) / weight(x, anchor, positive) for j in others)
            terms.append(torch.log(1 + total(shares)))
    return mean(terms)


FORMULAS = {
    "infonce": (infonce, {"kind": "infonce"}),
    "ntxent": (ntxent, {"kind": "ntxent"}),
    "supcon, out": (supcon_out, {"kind": "supcon", "form": "out"}),
    "supcon, in": (supcon_in, {"kind": "supcon", "form": "in"}),
    "decoupled": (decoupled, {"kind": "decoupled"}),
    "debiased": (debiased, {"kind": "debiased", "prior": 0.1}),
    "debiased by half": (debiased_by_half, {"kind": "debiased", "prior": 0.6}),
    "nce": (nce, {"kind": "nce"}),
    "npair": (npair, {"kind": "npair"}),
}
OF_SIMILARITIES = {
    "mined": (multi_similarity, {"kind": "multi_similarity"}),
    "all pairs": (multi_similarity_of_all, {"kind": "multi_similarity", "mined": False}),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", [*FORMULAS, *OF_SIMILARITIES])
def test_a_loss_is_its_formula(
    build_term: BuildTerm, sphere: Sphere, mean: Mean, with_gradient: ValueAndGradient, name: str, seed: int
) -> None:
    formula, keys = {**FORMULAS, **OF_SIMILARITIES}[name]
    loss = build_term(**keys, **({"temperature": TEMPERATURE} if name in FORMULAS else {}))
    x = sphere(len(LABELS), seed=seed)
    expected, slope = with_gradient(lambda x: formula(x, mean), x)
    value, gradient = with_gradient(lambda x: loss(x, torch.tensor(LABELS)), x)
    torch.testing.assert_close(value, expected, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(gradient, slope, atol=1e-7, rtol=1e-7)


def test_the_squared_norms_are_added(build_term: BuildTerm, sphere: Sphere) -> None:
    x, labels = 2.0 * sphere(len(LABELS)), torch.tensor(LABELS)
    plain, regular = (build_term("npair", unit_norm=False, l2=l2)(x, labels) for l2 in (0.0, 0.25))
    assert float(regular - plain) == pytest.approx(0.25 * 4.0)


def test_the_constant_of_nce_shifts_every_logit(build_term: BuildTerm, sphere: Sphere) -> None:
    """log ν + c: doubling the noise samples is what c = −log 2 does."""
    loss = build_term("nce", temperature=1.0)
    x = torch.eye(4, dtype=torch.float64)[[0, 0, 1]]
    with torch.no_grad():
        loss.constant.fill_(0.7)
    expected = math.log(1 + math.exp(-1.7)) + math.log(1 + math.exp(0.7))
    assert float(loss(x, torch.tensor([0, 0, 1])).detach()) == pytest.approx(expected)


def test_of_equally_many_samples_ntxent_is_supcon(build_term: BuildTerm, sphere: Sphere) -> None:
    labels = torch.arange(4).repeat_interleave(3)
    torch.testing.assert_close(build_term("ntxent")(sphere(12), labels), build_term("supcon")(sphere(12), labels))


def test_without_false_negatives_debiased_is_infonce(build_term: BuildTerm, sphere: Sphere) -> None:
    labels = torch.tensor(LABELS)
    torch.testing.assert_close(
        build_term("debiased", prior=0.0, temperature=0.2)(sphere(12), labels),
        build_term("infonce", temperature=0.2)(sphere(12), labels),
    )


@pytest.mark.parametrize("kind", ["cosface", "arcface"])
def test_a_class_margin_is_its_formula(
    build_term: BuildTerm, sphere: Sphere, mean: Mean, with_gradient: ValueAndGradient, kind: str
) -> None:
    loss = build_term(kind, margin=0.4, scale=8.0)
    centres = nn.functional.normalize(loss.weight.detach(), dim=1)

    def formula(x: Tensor) -> Tensor:
        terms = []
        for row, label in zip(x, LABELS, strict=True):
            if label >= 4:
                continue  # a forgery is nobody's class
            cosines = [(row * centre).sum() for centre in centres]
            own = torch.cos(torch.arccos(cosines[label]) + 0.4) if kind == "arcface" else cosines[label] - 0.4
            weights = [torch.exp(8 * (own if j == label else cosine)) for j, cosine in enumerate(cosines)]
            terms.append(-torch.log(weights[label] / total(weights)))
        return mean(terms)

    x = sphere(len(LABELS))
    expected, slope = with_gradient(formula, x)
    value, gradient = with_gradient(lambda x: loss(x, torch.tensor(LABELS)), x)
    torch.testing.assert_close(value, expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(gradient, slope, atol=1e-9, rtol=1e-9)


def test_beyond_the_turning_point_arcface_goes_on_falling(build_term: BuildTerm) -> None:
    loss = build_term("arcface", margin=0.5)
    angles = torch.linspace(0.001, math.pi - 0.001, 500, dtype=torch.float64)
    moved = loss.moved(torch.cos(angles)[:, None])[:, 0]
    assert bool((moved.diff() < 0).all())
    before = angles < math.pi - 0.5
    torch.testing.assert_close(moved[before], torch.cos(angles[before] + 0.5))


def test_the_margin_of_arcface_grows(build_term: BuildTerm) -> None:
    loss = build_term("arcface", margin=0.5, ramp=0.5)
    loss.progress(0.25)
    assert loss.margin == pytest.approx(0.25)
