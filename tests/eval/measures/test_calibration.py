"""Cllr and minCllr against naive twins: the formula trial by trial, pool-adjacent-violators, isotonic regression."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from eval.measures.calibration import cllr, convex_hull, min_cllr
from eval.measures.sorted_scores import SortedScores

FloatArray = NDArray[np.float64]

tied = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=40).map(np.array)
# Rounded, as scikit-learn takes scores for equal that differ by less than about 1e-15.
spread = st.lists(st.floats(-30, 30), min_size=1, max_size=30).map(lambda found: np.array(found).round(3))


def naive_cllr(genuine: FloatArray, impostor: FloatArray) -> float:
    lost_genuine = [math.log2(1 + math.exp(-score)) for score in genuine]
    lost_impostor = [math.log2(1 + math.exp(score)) for score in impostor]
    return (sum(lost_genuine) / len(genuine) + sum(lost_impostor) / len(impostor)) / 2


def cost_of_shares(blocks: list[tuple[float, float]]) -> float:
    """Cllr where each block (p of the genuine, q of the impostor trials) has the ratio p / q."""
    cost = 0.0
    for p, q in blocks:
        cost += p * math.log2(1 + q / p) / 2 if p else 0.0
        cost += q * math.log2(1 + p / q) / 2 if q else 0.0
    return cost


def naive_min_cllr(genuine: FloatArray, impostor: FloatArray) -> float:
    """Pool adjacent violators: start with a block a distinct score, pool while a block is not above the one below."""
    blocks: list[tuple[float, float]] = []
    for score in sorted({*genuine.tolist(), *impostor.tolist()}):
        blocks.append((float(np.mean(genuine == score)), float(np.mean(impostor == score))))
        while len(blocks) > 1 and blocks[-1][0] * blocks[-2][1] <= blocks[-2][0] * blocks[-1][1] + 1e-12:
            p, q = blocks.pop()
            blocks[-1] = (blocks[-1][0] + p, blocks[-1][1] + q)
    return cost_of_shares(blocks)


def isotonic_min_cllr(genuine: FloatArray, impostor: FloatArray) -> float:
    """scikit-learn's isotonic regression of the labels, each side weighing ½ in all."""
    labels = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    weights = np.r_[np.full(len(genuine), 0.5 / len(genuine)), np.full(len(impostor), 0.5 / len(impostor))]
    p = IsotonicRegression().fit(np.r_[genuine, impostor], labels, weights).predict(np.r_[genuine, impostor])
    stated = np.where(labels == 1, p, 1 - p)
    return float(-(weights * np.log2(stated)).sum())


@given(genuine=spread, impostor=spread)
def test_cllr_is_the_naive_one(genuine: FloatArray, impostor: FloatArray) -> None:
    assert cllr(SortedScores(genuine, impostor)) == pytest.approx(naive_cllr(genuine, impostor), rel=1e-12)


@given(genuine=st.one_of(tied, spread), impostor=st.one_of(tied, spread))
def test_min_cllr_is_that_of_pool_adjacent_violators(genuine: FloatArray, impostor: FloatArray) -> None:
    found = min_cllr(SortedScores(genuine, impostor))
    assert found == pytest.approx(naive_min_cllr(genuine, impostor), abs=1e-9)
    assert found == pytest.approx(isotonic_min_cllr(genuine, impostor), abs=1e-9)


@pytest.mark.parametrize(("genuine", "impostor"), [(150_000, 150_000), (1000, 200_000), (200_000, 1000)])
def test_min_cllr_of_many_scores_is_that_of_isotonic_regression(genuine: int, impostor: int) -> None:
    """More than one piece of the shorter side, ties across pieces, and either side the shorter one."""
    generator = np.random.default_rng(3)
    g, i = generator.normal(1, 1, genuine).round(3), generator.normal(-1, 1, impostor).round(3)
    assert min_cllr(SortedScores(g, i)) == pytest.approx(isotonic_min_cllr(g, i), abs=1e-12)


@given(genuine=tied, impostor=tied)
def test_the_hull_turns_only_upwards_and_lies_under_every_point(genuine: FloatArray, impostor: FloatArray) -> None:
    x, y = convex_hull(SortedScores(genuine, impostor))
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, len(impostor), len(genuine))
    dx, dy = np.diff(x), np.diff(y)
    assert (dx[:-1] * dy[1:] >= dx[1:] * dy[:-1]).all()
    for threshold in np.arange(-7, 8):
        rejected = np.count_nonzero(impostor < threshold), np.count_nonzero(genuine < threshold)
        above = dx * (rejected[1] - y[:-1]) - dy * (rejected[0] - x[:-1])
        assert (above >= 0).all()


@given(genuine=spread, impostor=spread)
def test_recalibration_never_makes_it_worse(genuine: FloatArray, impostor: FloatArray) -> None:
    scores = SortedScores(genuine, impostor)
    assert 0 <= min_cllr(scores) <= min(cllr(scores), 1) + 1e-12


@given(genuine=tied, impostor=tied, shift=st.integers(-9, 9), scale=st.sampled_from([0.25, 2.0, 8.0]))
def test_min_cllr_does_not_depend_on_shift_or_scale(
    genuine: FloatArray, impostor: FloatArray, shift: int, scale: float
) -> None:
    moved = SortedScores(scale * genuine + shift, scale * impostor + shift)
    assert min_cllr(moved) == min_cllr(SortedScores(genuine, impostor))


def test_known_values() -> None:
    silent = SortedScores(np.zeros(3), np.zeros(5))
    assert (cllr(silent), min_cllr(silent)) == (pytest.approx(1.0, abs=1e-15), pytest.approx(1.0, abs=1e-15))
    apart = SortedScores(np.full(3, 40.0), np.full(5, -40.0))
    assert cllr(apart) == pytest.approx(0.0, abs=1e-15)
    assert min_cllr(apart) == 0.0
    misleading = SortedScores(np.full(3, -2.0), np.full(5, 2.0))
    assert cllr(misleading) == pytest.approx(math.log2(1 + math.exp(2)))
    assert min_cllr(misleading) == pytest.approx(1.0)


def test_likelihood_ratios_that_are_true_have_nothing_to_gain() -> None:
    """Of N(1, 1) against N(-1, 1) the log-likelihood ratio of x is 2 x."""
    generator = np.random.default_rng(4)
    genuine, impostor = (generator.normal(mean, 1, 200_000) for mean in (1, -1))
    true = SortedScores(2 * genuine, 2 * impostor)
    assert cllr(true) - min_cllr(true) < 1e-3
    assert cllr(SortedScores(6 * genuine, 6 * impostor)) - min_cllr(true) > 0.1


def test_huge_scores_cost_what_they_say_and_do_not_overflow() -> None:
    assert cllr(SortedScores(np.array([-2000.0]), np.array([-2000.0]))) == pytest.approx(1000 / math.log(2))
    assert cllr(SortedScores(np.array([2000.0]), np.array([-2000.0]))) == 0.0


@given(genuine=tied, impostor=tied, failures=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_failures_to_acquire_are_left_out(genuine: FloatArray, impostor: FloatArray, failures: tuple[int, int]) -> None:
    scores = SortedScores(genuine, impostor)
    failed = SortedScores(*(np.r_[s, np.full(n, -np.inf)] for s, n in zip((genuine, impostor), failures, strict=True)))
    assert cllr(failed) == cllr(scores)
    assert min_cllr(failed) == min_cllr(scores)
