"""Reliability bins and expected calibration error against a naive twin, and their intervals by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from eval.measures.calibration import cllr, min_cllr
from eval.measures.reliability import BINS, calibration, reliability_bins
from eval.measures.sorted_scores import SortedScores
from eval.resampling.intervals import clopper_pearson

FloatArray = NDArray[np.float64]

# Rounded, as a score next to 0 states ½ in floating point whichever side of it it lies.
spread = st.lists(st.floats(-6, 6), min_size=1, max_size=30).map(lambda found: np.array(found).round(3))


def naive_error(genuine: FloatArray, impostor: FloatArray) -> float:
    """Trial by trial: each side weighs ½ in all."""
    p = np.r_[expit(genuine), expit(impostor)]
    is_genuine = np.repeat([True, False], [len(genuine), len(impostor)])
    weight = np.where(is_genuine, 0.5 / len(genuine), 0.5 / len(impostor))
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    return sum(abs((weight * is_genuine)[index == one].sum() - (weight * p)[index == one].sum()) for one in range(BINS))


@given(genuine=spread, impostor=spread)
def test_the_error_is_the_naive_one(genuine: FloatArray, impostor: FloatArray) -> None:
    found = calibration(SortedScores(genuine, impostor))
    assert found.expected_calibration_error == pytest.approx(naive_error(genuine, impostor), abs=1e-9)


@given(genuine=spread, impostor=spread)
def test_bins_part_all_trials_between_them(genuine: FloatArray, impostor: FloatArray) -> None:
    bins = reliability_bins(SortedScores(genuine, impostor))
    assert sum(one.genuine for one in bins) == len(genuine)
    assert sum(one.impostor for one in bins) == len(impostor)
    for one in bins:
        assert one.genuine + one.impostor > 0
        assert one.high - one.low == pytest.approx(1 / BINS)
        assert one.low <= one.stated <= one.high
        share_g, share_i = one.genuine / len(genuine), one.impostor / len(impostor)
        assert one.found.value == pytest.approx(share_g / (share_g + share_i))


def test_bins_of_known_scores() -> None:
    """0.5 belongs to the bin above it, certainty to the last."""
    scores = SortedScores(np.array([0.0, 800.0, -np.inf]), np.array([-800.0, 0.0, 0.0, -0.1, -np.inf]))
    first, below, half, last = reliability_bins(scores)
    assert (first.low, first.genuine, first.impostor, first.stated, first.found.value) == (0.0, 0, 1, 0.0, 0.0)
    assert (below.low, below.high, below.genuine, below.impostor) == (0.4, 0.5, 0, 1)
    assert (half.low, half.genuine, half.impostor, half.stated, half.found.value) == (0.5, 1, 2, 0.5, 0.5)
    assert (last.high, last.genuine, last.impostor, last.stated, last.found.value) == (1.0, 1, 0, 1.0, 1.0)


def test_true_likelihood_ratios_are_reliable_whatever_the_numbers_of_trials() -> None:
    """Of N(1, 1) against N(-1, 1) the log-likelihood ratio of x is 2 x."""
    generator = np.random.default_rng(5)
    genuine, impostor = generator.normal(1, 1, 20_000), generator.normal(-1, 1, 400_000)
    assert calibration(SortedScores(2 * genuine, 2 * impostor)).expected_calibration_error < 0.005
    assert calibration(SortedScores(4 * genuine, 4 * impostor)).expected_calibration_error > 0.03


def test_even_numbers_of_trials_have_the_exact_interval() -> None:
    scores = SortedScores(np.array([-9.0, 0.1, 0.2, 0.3]), np.array([0.1, 9.0, 9.0, 9.0]))
    half = next(one for one in reliability_bins(scores) if one.low == 0.5)
    exact = clopper_pearson(3, 4)
    assert (half.found.low, half.found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_the_interval_covers_what_the_bin_would_find_with_endless_trials() -> None:
    """Three times as many impostors as genuine trials; 95 % asked, never less by more than chance in 2,000 bins."""
    generator = np.random.default_rng(6)
    genuine, impostor, inside = 100, 300, 0
    in_bin = 0.3, 0.1  # the chances that a genuine and an impostor score fall into the bin [0.5, 0.6)
    truth = in_bin[0] / sum(in_bin)
    drawn = [generator.binomial(n, p, 2000) for n, p in zip((genuine, impostor), in_bin, strict=True)]
    pairs, times = np.unique(drawn, axis=1, return_counts=True)
    for in_g, in_i, often in zip(*pairs, times, strict=True):
        g, i = (np.where(np.arange(n) < count, 0.2, 5.0) for n, count in ((genuine, in_g), (impostor, in_i)))
        found = reliability_bins(SortedScores(g, i))[0].found
        inside += often * (found.low <= truth <= found.high)
    assert inside / 2000 > 0.94


def test_further_draws_of_references_do_not_narrow_the_interval() -> None:
    generator = np.random.default_rng(7)
    genuine, impostor = generator.normal(1, 2, 60), generator.normal(-1, 2, 240)
    once = reliability_bins(SortedScores(genuine, impostor))
    often = reliability_bins(SortedScores(np.tile(genuine, 8), np.tile(impostor, 3)), repeats=(8.0, 3.0))
    for one, other in zip(once, often, strict=True):
        assert other.found.model_dump() == pytest.approx(one.found.model_dump())
        assert (other.genuine, other.impostor) == (8 * one.genuine, 3 * one.impostor)


def test_the_block_holds_every_measure() -> None:
    generator = np.random.default_rng(8)
    scores = SortedScores(generator.normal(1, 2, 500), generator.normal(-1, 2, 70_000))
    found = calibration(scores)
    assert (found.cllr, found.min_cllr) == (cllr(scores), min_cllr(scores))
    assert found.bins == reliability_bins(scores)
