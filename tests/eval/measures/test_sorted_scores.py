"""The sorted sides against naive twins, scikit-learn and pyeer, and the properties that any score must have."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyeer.eer_stats import calculate_roc, calculate_roc_auc, get_decidability_value, get_eer_values, get_fmr_op
from sklearn.metrics import roc_auc_score, roc_curve

from encode.errors import TrialsError
from eval.measures.metrics import equal_error_index, far_at, fmr_at, fnmr_at, frr_at, threshold_at_frr
from eval.measures.sorted_scores import EqualError, SortedScores

FloatArray = NDArray[np.float64]

# Few distinct values, so that ties are the rule and not the exception.
tied = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=40).map(np.array)
failed = st.integers(0, 4)
targets = st.one_of(st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.1, 0.29, 0.5, 0.999, 1.0]), st.floats(0, 1))


def with_failures(scores: FloatArray, number: int) -> FloatArray:
    return np.concatenate([scores, np.full(number, -np.inf)])


def every_threshold(*sides: FloatArray) -> list[float]:
    """Ascending: every finite score, then one above them all."""
    finite = sorted({float(score) for side in sides for score in side} - {-math.inf})
    return [*finite, math.nextafter(finite[-1], math.inf)]


@given(genuine=tied, impostor=tied, failures=st.tuples(failed, failed))
def test_rates_are_those_of_counting(genuine: FloatArray, impostor: FloatArray, failures: tuple[int, int]) -> None:
    genuine, impostor = with_failures(genuine, failures[0]), with_failures(impostor, failures[1])
    scores = SortedScores(genuine, impostor)
    for threshold in [*every_threshold(genuine, impostor), 0.5, -99.0, 99.0]:
        assert scores.far(threshold) == far_at(impostor, threshold)
        assert scores.frr(threshold) == frr_at(genuine, threshold)
        assert scores.fmr(threshold) == fmr_at(impostor, threshold)
        assert scores.fnmr(threshold) == fnmr_at(genuine, threshold)
        assert scores.false_accepts(threshold) == sum(score >= threshold for score in impostor)
        assert scores.false_rejects(threshold) == sum(score < threshold for score in genuine)


@given(genuine=tied, failures=failed, target=targets)
def test_threshold_at_frr_is_the_highest_there_is(genuine: FloatArray, failures: int, target: float) -> None:
    everyone = with_failures(genuine, failures)
    fitting = [t for t in every_threshold(genuine) if frr_at(everyone, t) <= target]
    if fitting:
        assert threshold_at_frr(everyone, target) == fitting[-1]
        assert SortedScores(everyone, np.zeros(1)).threshold_at_frr(target) == fitting[-1]
    else:
        with pytest.raises(TrialsError, match=f"{failures} of {len(everyone)} genuine probes failed"):
            threshold_at_frr(everyone, target)


@given(impostor=tied, genuine=tied, target=targets)
def test_thresholds_of_both_rates_mirror_each_other(impostor: FloatArray, genuine: FloatArray, target: float) -> None:
    """With the sign turned and the roles swapped, accepting becomes rejecting."""
    scores, mirrored = SortedScores(genuine, impostor), SortedScores(-impostor, -genuine)
    assert scores.far(scores.threshold_at_far(target)) == mirrored.frr(mirrored.threshold_at_frr(target))
    assert scores.frr(scores.threshold_at_frr(target)) == mirrored.far(mirrored.threshold_at_far(target))
    assert scores.equal_error().rate == mirrored.equal_error().rate
    assert scores.auc() == mirrored.auc()
    assert scores.d_prime() == pytest.approx(mirrored.d_prime())
    ours, theirs = scores.curve(), mirrored.curve()
    assert set(zip(ours.far, ours.frr, strict=True)) == set(zip(theirs.frr, theirs.far, strict=True))


@given(genuine=tied, impostor=tied, failures=st.tuples(failed, failed))
def test_auc_is_the_share_of_pairs_in_order(
    genuine: FloatArray, impostor: FloatArray, failures: tuple[int, int]
) -> None:
    """Whichever side is shorter; a failed probe is below every other and tied with a failed one."""
    genuine, impostor = with_failures(genuine, failures[0]), with_failures(impostor, failures[1])
    pairs = [(g > i) + 0.5 * (g == i) for g in genuine for i in impostor]
    assert SortedScores(genuine, impostor).auc() == pytest.approx(np.mean(pairs), abs=1e-15)


@given(genuine=tied, impostor=tied, target=targets)
def test_lowest_frr_is_read_off_scikit_learns_roc(genuine: FloatArray, impostor: FloatArray, target: float) -> None:
    labels = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    far, accepted, _ = roc_curve(labels, np.r_[genuine, impostor], drop_intermediate=False)
    scores = SortedScores(genuine, impostor)
    assert scores.lowest_frr_at_far(target) == pytest.approx(1 - accepted[far <= target].max(), abs=1e-12)
    assert scores.lowest_frr_at_far(target) <= scores.frr(scores.threshold_at_far(target))


def test_lowest_frr_holds_the_failures() -> None:
    scores = SortedScores(np.array([-np.inf, 1.0, 2.0, 3.0]), np.array([-np.inf, 0.0, 1.5, 1.6]))
    assert scores.lowest_frr_at_far(1.0) == 0.25
    assert scores.lowest_frr_at_far(0.25) == 0.5
    assert scores.lowest_frr_at_far(0.75) == 0.25


@given(genuine=tied, impostor=tied, target=targets, times=st.integers(2, 5))
def test_trials_counted_several_times_change_no_rate(
    genuine: FloatArray, impostor: FloatArray, target: float, times: int
) -> None:
    once, often = SortedScores(genuine, impostor), SortedScores(np.tile(genuine, times), np.tile(impostor, times))
    assert often.equal_error() == once.equal_error()
    assert often.auc() == pytest.approx(once.auc(), abs=1e-15)
    assert often.d_prime() == pytest.approx(once.d_prime())
    # A target between two of the shares that can occur; exactly at one, both sides of it round alike.
    steps = target * len(impostor)
    assume(abs(steps - round(steps)) > 1e-9)
    assert often.far(often.threshold_at_far(target)) == pytest.approx(once.far(once.threshold_at_far(target)))
    assert often.frr(often.threshold_at_far(target)) == pytest.approx(once.frr(once.threshold_at_far(target)))


@given(genuine=tied, impostor=tied, lower=targets, higher=targets)
def test_a_stricter_target_costs_more(genuine: FloatArray, impostor: FloatArray, lower: float, higher: float) -> None:
    lower, higher = sorted((lower, higher))
    scores = SortedScores(genuine, impostor)
    assert scores.threshold_at_far(lower) >= scores.threshold_at_far(higher)
    assert scores.threshold_at_frr(lower) <= scores.threshold_at_frr(higher)
    assert scores.frr(scores.threshold_at_far(lower)) >= scores.frr(scores.threshold_at_far(higher))
    assert scores.far(scores.threshold_at_frr(lower)) >= scores.far(scores.threshold_at_frr(higher))
    assert scores.lowest_frr_at_far(lower) >= scores.lowest_frr_at_far(higher)


@given(genuine=tied, impostor=tied, shift=st.integers(-9, 9), scale=st.sampled_from([0.25, 2.0, 8.0]), target=targets)
def test_rates_do_not_depend_on_shift_or_scale(
    genuine: FloatArray, impostor: FloatArray, shift: int, scale: float, target: float
) -> None:
    """Powers of two and small integers keep the arithmetic exact, so that ties stay ties."""
    scores, moved = SortedScores(genuine, impostor), SortedScores(scale * genuine + shift, scale * impostor + shift)
    assert moved.equal_error().rate == scores.equal_error().rate
    assert moved.auc() == scores.auc()
    assert moved.frr(moved.threshold_at_far(target)) == scores.frr(scores.threshold_at_far(target))
    assert moved.far(moved.threshold_at_frr(target)) == scores.far(scores.threshold_at_frr(target))
    assert moved.d_prime() == pytest.approx(scores.d_prime())


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: (generator.normal(1.5, 1, 3000), generator.normal(-1.5, 1, 20_000)),
        lambda generator: (generator.normal(1.5, 1, 20_000), generator.normal(-1.5, 1, 3000)),
        lambda generator: (generator.gamma(4, 1, 5000), generator.gamma(1, 1, 5000)),
    ],
    ids=["few genuine", "few impostors", "gamma"],
)
def test_pyeer_finds_the_same(draw: Callable[[np.random.Generator], tuple[FloatArray, FloatArray]]) -> None:
    """pyeer reads FMR100 where the FMR is nearest to 1 %, which numbers of impostors that 1,000 divides hit exactly."""
    genuine, impostor = draw(np.random.default_rng(0))
    scores = SortedScores(genuine, impostor)
    _, far, frr = calculate_roc(genuine, impostor)
    assert scores.equal_error().rate == pytest.approx(get_eer_values(far, frr)[3], abs=1e-15)
    for target in (1 / 10, 1 / 20, 1 / 100, 1 / 1000):
        assert scores.lowest_frr_at_far(target) == pytest.approx(get_fmr_op(far, frr, target)[1], abs=1e-15)
    decidability = get_decidability_value(genuine.mean(), genuine.std(), impostor.mean(), impostor.std())
    assert scores.d_prime() == pytest.approx(decidability, rel=1e-12)
    assert scores.auc() == pytest.approx(calculate_roc_auc(far, frr), abs=1e-4)  # its curve ends before FAR 0


@given(genuine=tied, impostor=tied)
def test_pyeer_finds_the_same_equal_error_with_ties(genuine: FloatArray, impostor: FloatArray) -> None:
    """Except where only a threshold above every score has FRR >= FAR: pyeer does not try that one."""
    scores = SortedScores(genuine, impostor)
    highest = max(genuine.max(), impostor.max())
    assume(scores.frr(highest) >= scores.far(highest))
    _, far, frr = calculate_roc(genuine, impostor)
    assert scores.equal_error().rate == pytest.approx(get_eer_values(far, frr)[3], abs=1e-15)


@pytest.mark.parametrize("apart", [-99.0, -0.5, 0.0, 0.01, 1.5, 99.0])
@pytest.mark.parametrize("sizes", [(3000, 5000), (20, 5000), (5000, 20), (3000, 3000)])
def test_equal_error_of_many_scores_is_found_on_the_whole_curve(sizes: tuple[int, int], apart: float) -> None:
    """Enough scores for several steps of bisection, and for the crossing to lie at either end."""
    generator = np.random.default_rng(9)
    genuine, impostor = generator.normal(apart, 1, sizes[0]).round(3), generator.normal(0, 1, sizes[1]).round(3)
    genuine[: sizes[0] // 10] = -np.inf
    scores = SortedScores(genuine, impostor)
    curve = scores.curve()
    at = equal_error_index(curve.far, curve.frr)
    assert scores.equal_error() == EqualError((curve.far[at] + curve.frr[at]) / 2, curve.thresholds[at])


def test_many_scores_are_gone_through_in_pieces() -> None:
    """More than one piece of either side, with ties within and across pieces."""
    generator = np.random.default_rng(1)
    genuine, impostor = (generator.normal(mean, 1, 150_000).round(4) for mean in (1, 0))
    scores = SortedScores(genuine, impostor)
    labels = np.repeat([1, 0], 150_000)
    assert scores.auc() == pytest.approx(roc_auc_score(labels, np.r_[genuine, impostor]), abs=1e-12)
    assert scores.d_prime() == pytest.approx(
        (genuine.mean() - impostor.mean()) / np.sqrt((genuine.var() + impostor.var()) / 2)
    )


def test_d_prime_of_known_scores() -> None:
    assert SortedScores(np.array([3.0, 5.0, -np.inf]), np.array([-1.0, 1.0])).d_prime() == 4.0
    assert SortedScores(np.array([-1.0, 1.0]), np.array([3.0, 5.0])).d_prime() == 4.0
    assert SortedScores(np.full(3, 0.1), np.full(7, 0.3)).d_prime() is None


@given(genuine=tied, impostor=tied, points=st.integers(1, 30))
def test_a_thinned_curve_holds_points_of_the_whole_one(genuine: FloatArray, impostor: FloatArray, points: int) -> None:
    scores = SortedScores(genuine, impostor)
    whole, thin = scores.curve(), scores.curve(points)
    every = set(zip(whole.thresholds, whole.far, whole.frr, strict=True))
    assert set(zip(thin.thresholds, thin.far, thin.frr, strict=True)) <= every
    assert (thin.thresholds[0], thin.thresholds[-1]) == (whole.thresholds[0], whole.thresholds[-1])
    assert (np.diff(thin.thresholds) > 0).all()
    assert len(thin.thresholds) <= max(points, 4) + 1


def test_a_thinned_curve_keeps_both_tails_and_its_shape() -> None:
    generator = np.random.default_rng(2)
    scores = SortedScores(generator.normal(3, 1, 200_000), generator.normal(0, 1, 100_000))
    whole, thin = scores.curve(), scores.curve(400)
    assert len(thin.thresholds) < 410
    assert set(whole.far[whole.far <= 4e-5]) <= set(thin.far)
    assert set(whole.frr[whole.frr <= 2e-5]) <= set(thin.frr)
    between = np.interp(whole.thresholds, thin.thresholds, thin.frr)
    assert np.abs(between - whole.frr).max() < 0.01


@given(genuine=tied, impostor=tied, target=targets)
def test_float32_is_measured_as_float64(genuine: FloatArray, impostor: FloatArray, target: float) -> None:
    """Tenths are no float32: thresholds between two of them must part the scores as in float64."""
    narrow = [(side / 10).astype(np.float32) for side in (genuine, impostor)]
    single, double = SortedScores(*narrow), SortedScores(*(side.astype(np.float64) for side in narrow))
    assert single.genuine.dtype == np.float32
    for threshold in [*np.linspace(-0.7, 0.7, 15), *every_threshold(*narrow), 1e300, -1e300]:
        assert single.far(threshold) == double.far(threshold)
        assert single.frr(threshold) == double.frr(threshold)
    assert single.far(single.threshold_at_far(target)) == double.far(double.threshold_at_far(target))
    assert single.frr(single.threshold_at_frr(target)) == double.frr(double.threshold_at_frr(target))
    assert single.equal_error().rate == double.equal_error().rate
    assert single.auc() == double.auc()
    assert single.curve().far.tolist() == double.curve().far.tolist()


def test_sides_of_two_types_are_measured_as_float64() -> None:
    scores = SortedScores(np.array([0.1, 0.3], np.float32), np.array([0.1, 0.3]))
    assert scores.genuine.dtype == scores.impostor.dtype == np.float64
    assert scores.auc() == 0.75  # both of the float32 are a little above what they stand for


def test_scores_are_copied_unless_told_otherwise() -> None:
    genuine, impostor = np.array([3.0, 1.0, 2.0]), np.array([0.0, -1.0])
    SortedScores(genuine, impostor)
    assert genuine.tolist() == [3.0, 1.0, 2.0]
    scores = SortedScores(genuine, impostor, in_place=True)
    assert genuine.tolist() == [1.0, 2.0, 3.0]
    assert np.shares_memory(scores.genuine, genuine)


@pytest.mark.parametrize("side", ["genuine", "impostor"])
@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ([], "there are no {} trials"),
        ([1.0, math.nan], "{} scores hold NaN"),
        ([math.inf, 1.0], r"{} scores hold NaN or \+inf"),
        ([-math.inf] * 3, "all 3 {} probes failed"),
        ([[1.0], [2.0]], "{} scores must be one flat array, found 2 dimensions"),
        (1.0, "{} scores must be one flat array, found 0 dimensions"),
    ],
)
def test_the_side_that_is_wrong_is_named(side: str, bad: object, match: str) -> None:
    sides = {"genuine": np.ones(2), "impostor": np.zeros(2)} | {side: np.array(bad, dtype=np.float64)}
    with pytest.raises(TrialsError, match=match.format(side)):
        SortedScores(**sides)


@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_a_target_outside_0_to_1_is_refused(target: float) -> None:
    scores = SortedScores(np.ones(2), np.zeros(2))
    for ask, rate in ((scores.threshold_at_far, "FAR"), (scores.threshold_at_frr, "FRR")):
        with pytest.raises(TrialsError, match=f"target {rate}"):
            ask(target)
