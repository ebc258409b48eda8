"""Error rates against naive twins, scikit-learn and the properties that any score must have."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import det_curve, roc_auc_score

from encode.errors import TrialsError
from eval.measures.metrics import (
    auc,
    checked,
    equal_error,
    error_curve,
    far_at,
    fmr_at,
    fnmr_at,
    frr_at,
    threshold_at_far,
)

# Few distinct values, so that ties are the rule and not the exception.
tied = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=40).map(np.array)
targets = st.one_of(st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.1, 0.29, 0.5, 0.999, 1.0]), st.floats(0, 1))


def naive_threshold(impostor: NDArray[np.float64], target: float) -> float:
    """Try every impostor score as a threshold, then just above the highest."""
    for candidate in sorted(set(impostor[np.isfinite(impostor)])):
        if sum(score >= candidate for score in impostor) / len(impostor) <= target:
            return float(candidate)
    return float(np.nextafter(max(impostor), np.inf))


def naive_equal_error(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """FVC2000, step by step over every threshold."""
    highest = max(max(genuine), max(impostor))
    thresholds = [*sorted({*genuine, *impostor} - {-np.inf}), np.nextafter(highest, np.inf)]
    pairs = [(far_at(impostor, t), frr_at(genuine, t)) for t in thresholds]
    below = [far + frr for far, frr in pairs if frr <= far]
    above = [far + frr for far, frr in pairs if frr >= far]
    if not below:
        return above[0] / 2
    return min(below[-1], above[0]) / 2


def bob_far_threshold(negatives: NDArray[np.float64], far_value: float) -> float:
    """The loop of bob.measure's `far_threshold`, written out."""
    scores = np.sort(negatives)[::-1]
    valid = np.nextafter(scores[0], np.inf)
    position = 0
    while position < len(scores):
        current = scores[position]
        while position < len(scores) - 1 and scores[position + 1] == current:
            position += 1
        if (position + 1) / len(scores) > far_value:
            break
        valid = current
        position += 1
    return float(valid)


@given(impostor=tied, target=targets)
def test_threshold_at_far_is_the_naive_one(impostor: NDArray[np.float64], target: float) -> None:
    threshold = threshold_at_far(impostor, target)
    assert threshold == naive_threshold(impostor, target)
    assert threshold == bob_far_threshold(impostor, target)
    assert far_at(impostor, threshold) <= target


@given(impostor=tied, failed=st.integers(0, 5), target=targets)
def test_failed_impostors_count_as_rejected(impostor: NDArray[np.float64], failed: int, target: float) -> None:
    everyone = np.concatenate([np.full(failed, -np.inf), impostor])
    threshold = threshold_at_far(everyone, target)
    assert math.isfinite(threshold)
    assert threshold == naive_threshold(everyone, target)
    assert far_at(everyone, threshold) <= target


@given(impostor=tied, lower=targets, higher=targets)
def test_a_stricter_target_never_lowers_the_threshold(
    impostor: NDArray[np.float64], lower: float, higher: float
) -> None:
    lower, higher = sorted((lower, higher))
    assert threshold_at_far(impostor, lower) >= threshold_at_far(impostor, higher)


def test_ties_are_accepted_or_rejected_together() -> None:
    impostor = np.array([5.0, 4.0, 4.0, 4.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert threshold_at_far(impostor, 0.4) == 4.0
    assert threshold_at_far(impostor, 0.3) == 5.0
    assert far_at(impostor, threshold_at_far(impostor, 0.05)) == 0.0
    assert far_at(impostor, threshold_at_far(impostor, 1.0)) == 1.0


@pytest.mark.parametrize(("errors", "trials", "target"), [(29, 100, 0.29), (3, 30, 0.1), (7, 100, 0.07), (1, 3, 1 / 3)])
def test_a_target_that_is_met_exactly_is_used_up(errors: int, trials: int, target: float) -> None:
    """0.29 · 100 is 28.999999999999996 in floating point."""
    impostor = np.arange(trials, dtype=np.float64)
    assert np.count_nonzero(impostor >= threshold_at_far(impostor, target)) == errors


@given(genuine=tied, impostor=tied)
def test_equal_error_is_the_naive_one(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> None:
    found = equal_error(genuine, impostor)
    assert found.rate == pytest.approx(naive_equal_error(genuine, impostor), abs=1e-15)
    rates = far_at(impostor, found.threshold), frr_at(genuine, found.threshold)
    assert found.rate == pytest.approx(sum(rates) / 2, abs=1e-15)


def test_equal_error_of_known_scores() -> None:
    assert equal_error(np.array([1.0, 2.0]), np.array([-2.0, -1.0])).rate == 0.0
    assert equal_error(np.array([-2.0, -1.0]), np.array([1.0, 2.0])).rate == 1.0
    assert equal_error(np.array([0.0, 2.0, 3.0, 4.0]), np.array([-2.0, -1.0, -0.5, 1.0])).rate == 0.25
    assert equal_error(np.zeros(3), np.zeros(5)).rate == 0.5


@given(genuine=tied, impostor=tied)
def test_auc_is_the_share_of_pairs_in_order(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> None:
    pairs = [(g > i) + 0.5 * (g == i) for g in genuine for i in impostor]
    assert auc(genuine, impostor) == pytest.approx(np.mean(pairs), abs=1e-12)
    labels = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    assert auc(genuine, impostor) == pytest.approx(roc_auc_score(labels, np.r_[genuine, impostor]), abs=1e-12)


@given(genuine=tied, impostor=tied)
def test_the_curve_is_scikit_learns(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> None:
    curve = error_curve(genuine, impostor)
    labels = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    far, frr, thresholds = det_curve(labels, np.r_[genuine, impostor])
    ours = {t: (a, b) for t, a, b in zip(curve.thresholds, curve.far, curve.frr, strict=True)}
    finite = np.isfinite(thresholds)  # scikit-learn ends some curves at infinity, and drops their flat ends
    for t, a, b in zip(thresholds[finite], far[finite], frr[finite], strict=True):
        assert ours[t] == pytest.approx((a, b), abs=1e-12)


@given(genuine=tied, impostor=tied)
def test_the_curve_holds_the_rates_at_its_thresholds(
    genuine: NDArray[np.float64], impostor: NDArray[np.float64]
) -> None:
    curve = error_curve(genuine, impostor)
    assert (np.diff(curve.thresholds) > 0).all()
    assert (np.diff(curve.far) <= 0).all()
    assert (np.diff(curve.frr) >= 0).all()
    assert (curve.far[0], curve.frr[0], curve.far[-1], curve.frr[-1]) == (1.0, 0.0, 0.0, 1.0)
    assert curve.far == pytest.approx([far_at(impostor, t) for t in curve.thresholds])
    assert curve.frr == pytest.approx([frr_at(genuine, t) for t in curve.thresholds])


@given(genuine=tied, impostor=tied, shift=st.integers(-9, 9), scale=st.sampled_from([0.25, 2.0, 8.0]), target=targets)
def test_rates_do_not_depend_on_shift_or_scale(
    genuine: NDArray[np.float64], impostor: NDArray[np.float64], shift: int, scale: float, target: float
) -> None:
    """Powers of two and small integers keep the arithmetic exact, so that ties stay ties."""

    def moved(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scale * scores + shift

    assert equal_error(moved(genuine), moved(impostor)).rate == equal_error(genuine, impostor).rate
    assert auc(moved(genuine), moved(impostor)) == auc(genuine, impostor)
    frr = frr_at(genuine, threshold_at_far(impostor, target))
    assert frr_at(moved(genuine), threshold_at_far(moved(impostor), target)) == frr


def test_failures_to_acquire_fold_into_far_and_frr() -> None:
    genuine = np.array([-np.inf, -np.inf, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    impostor = np.array([-np.inf, -3.0, -2.0, 2.0])
    assert fnmr_at(genuine, 2.0) == pytest.approx(1 / 6)
    assert frr_at(genuine, 2.0) == pytest.approx(2 / 8 + 1 / 6 * 6 / 8)
    assert fmr_at(impostor, 2.0) == pytest.approx(1 / 3)
    assert far_at(impostor, 2.0) == pytest.approx(1 / 3 * 3 / 4)
    curve = error_curve(genuine, impostor)
    assert (curve.frr[0], curve.far[0]) == (2 / 8, 3 / 4)


def test_equal_error_when_many_genuine_probes_failed() -> None:
    """FRR starts above FAR: the first threshold is the nearest there is."""
    genuine, impostor = np.array([-np.inf, -np.inf, -np.inf, 1.0]), np.array([-np.inf, -np.inf, 0.0, 2.0])
    assert equal_error(genuine, impostor).rate == naive_equal_error(genuine, impostor) == (0.5 + 0.75) / 2


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        ([], "there are no genuine trials"),
        ([1.0, np.nan], "NaN"),
        ([1.0, np.inf], r"\+inf"),
        ([-np.inf, -np.inf], "all 2 genuine probes failed"),
        ([[1.0, 2.0]], "one flat array"),
    ],
)
def test_scores_that_give_no_rate_are_refused(scores: list[object], match: str) -> None:
    with pytest.raises(TrialsError, match=match):
        checked(np.array(scores, dtype=np.float64), "genuine")


@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_a_target_outside_0_to_1_is_refused(target: float) -> None:
    with pytest.raises(TrialsError, match="target FAR"):
        threshold_at_far(np.array([1.0]), target)
