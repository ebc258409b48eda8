"""Made-up pen frames: nothing changes where nothing is asked for, lengths stay in bounds, and gaps keep their size."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.pen_variation import (
    LEAST_FRAMES,
    MOST_FRAMES,
    Distortion,
    _stroke_ends,
    distorted,
    quickened,
    repaced,
    resampled,
    stretched,
)

Array = NDArray[np.float64]
PenTrace = Callable[..., Array]


def still(trace: Array) -> float:
    """Share of the steps that are shorter than an eighth of the mean one."""
    moved = np.hypot(*np.diff(trace[:2], axis=1))
    return float((moved < 0.125 * moved.mean()).mean())


def gaps(trace: Array) -> list[float]:
    return [float(gap) for gap in trace[3] if gap > 0.0]


@pytest.mark.parametrize("count", [16, 17, 100, 512])
def test_no_distortion_is_the_identity(pen_trace: PenTrace, count: int) -> None:
    trace = pen_trace(count)
    found = distorted(trace, Distortion(0.0, 0.0, 0.0), np.random.default_rng(0))
    np.testing.assert_allclose(found, trace, atol=1e-9)
    np.testing.assert_allclose(repaced(trace, 0.0, np.random.default_rng(0)), trace, atol=1e-9)
    np.testing.assert_allclose(stretched(trace, count), trace, atol=1e-9)


def test_slower_is_more_frames_of_the_same_path(pen_trace: PenTrace) -> None:
    trace = pen_trace(100)
    slow = Distortion(0.0, 0.0, 0.0, slower=np.log(2.0))
    found = distorted(trace, slow, np.random.default_rng(0))
    assert found.shape == (4, 199)
    np.testing.assert_allclose(found[:3, ::2], trace[:3], atol=1e-9)
    assert gaps(found) == gaps(trace)


def test_strokes_are_scaled_and_turned_as_a_whole(pen_trace: PenTrace) -> None:
    """With the time left alone, every step is its old one, by one factor and one angle from cut to cut."""
    trace = pen_trace(200)
    found = distorted(trace, Distortion(0.0, 0.3, 0.2), np.random.default_rng(3))
    before, after = np.diff(trace[:2], axis=1), np.diff(found[:2], axis=1)
    ratio = (after[0] + 1j * after[1]) / (before[0] + 1j * before[1])
    cuts = _stroke_ends(before)
    assert len(cuts) > 4
    factors = [ratio[cuts[stroke]] for stroke in range(len(cuts) - 1)]
    np.testing.assert_allclose(ratio, np.repeat(factors, np.diff(cuts)), atol=1e-6)
    assert len({complex(round(f.real, 6), round(f.imag, 6)) for f in factors}) == len(factors)
    np.testing.assert_array_equal(found[2:], trace[2:])
    np.testing.assert_allclose(found[:2, 0], trace[:2, 0])


def test_strokes_end_where_the_pen_is_slow() -> None:
    speed = np.full(60, 1.0)
    speed[19:22], speed[39:42] = (0.5, 0.1, 0.5), (0.5, 0.1, 0.5)
    steps = np.stack([speed, np.zeros(60)])
    np.testing.assert_array_equal(_stroke_ends(steps), [0, 20, 40, 60])
    np.testing.assert_array_equal(_stroke_ends(np.ones((2, 30)))[[0, -1]], [0, 30])


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 512), st.integers(0, 2**32 - 1))
def test_forgeries_have_usable_lengths_and_keep_their_gaps(pen_trace: PenTrace, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    trace = pen_trace(count, seed % 7, lifts=min(2, count // 3))
    found = distorted(trace, Distortion.forgery(generator), generator)
    assert found.shape[0] == 4
    assert LEAST_FRAMES <= found.shape[1] <= MOST_FRAMES
    assert np.isfinite(found).all()
    assert set(gaps(found)) <= set(gaps(trace))
    if count >= 60:
        assert gaps(found) == gaps(trace)


@pytest.mark.parametrize("count", [4, 30, 300])
@pytest.mark.parametrize("slower", [-3.0, 3.0])
def test_lengths_stay_in_bounds(pen_trace: PenTrace, count: int, slower: float) -> None:
    found = distorted(pen_trace(count), Distortion(0.3, 0.0, 0.0, slower=slower), np.random.default_rng(1))
    assert LEAST_FRAMES <= found.shape[1] <= MOST_FRAMES
    np.testing.assert_allclose(found[:3, [0, -1]], pen_trace(count)[:3, [0, -1]], atol=1e-9)


def test_pressure_is_made_up_by_its_share(pen_trace: PenTrace) -> None:
    trace = pen_trace(200)
    nothing = Distortion(0.0, 0.0, 0.0)
    for share, least, most in ((0.3, 0.8, 0.999), (1.0, -0.6, 0.6)):
        found = distorted(trace, replace(nothing, pressure=share), np.random.default_rng(5))
        np.testing.assert_allclose(found[[0, 1, 3]], trace[[0, 1, 3]], atol=1e-9)
        assert least < np.corrcoef(found[2], trace[2])[0, 1] < most
    without = pen_trace(200, pressure=False)
    assert not distorted(without, replace(nothing, pressure=1.0), np.random.default_rng(5))[2].any()


def test_tremor_is_noise_on_the_position(pen_trace: PenTrace) -> None:
    trace = pen_trace(400)
    found = distorted(trace, Distortion(0.0, 0.0, 0.0, tremor=0.02), np.random.default_rng(5))
    noise = found[:2] - trace[:2]
    # Of [0.2 0.6 0.2]: √0.44 of the deviation.
    assert noise.std() == pytest.approx(0.02 * np.sqrt(0.44), rel=0.1)
    np.testing.assert_array_equal(found[2:], trace[2:])


def test_a_forgery_strays_further_than_the_own_hand(pen_trace: PenTrace) -> None:
    trace = pen_trace(150)

    def strayed(how: Distortion, seed: int) -> float:
        found = stretched(distorted(trace, how, np.random.default_rng(seed)), 150)
        return float(np.sqrt(((found[:2] - trace[:2]) ** 2).mean()))

    own = [strayed(Distortion.own_hand(0.1), seed) for seed in range(20)]
    forged = [strayed(Distortion.forgery(np.random.default_rng(seed)), seed) for seed in range(20)]
    assert np.median(forged) > 1.5 * np.median(own)


def test_the_generator_decides(pen_trace: PenTrace) -> None:
    trace = pen_trace(100)

    def made(seed: int) -> list[Array]:
        generator = np.random.default_rng(seed)
        return [
            distorted(trace, Distortion.forgery(generator), generator),
            repaced(trace, 0.1, generator),
            quickened(trace, 60.0, generator),
        ]

    for first, again, other in zip(made(1), made(1), made(2), strict=True):
        np.testing.assert_array_equal(first, again)
        assert first.shape != other.shape or not np.array_equal(first, other)
    np.testing.assert_array_equal(trace, pen_trace(100))


def test_another_pace_is_the_same_path(pen_trace: PenTrace) -> None:
    """Every point of the repaced trace lies on the old path, and in the old order."""
    trace = pen_trace(100)
    found = repaced(trace, 0.3, np.random.default_rng(0))
    assert found.shape[1] != 100
    a, b = trace[:2, :-1], np.diff(trace[:2], axis=1)
    share = ((found[:2, :, None] - a[:, None]) * b[:, None]).sum(0) / (b * b).sum(0)
    nearest = a[:, None] + np.clip(share, 0.0, 1.0) * b[:, None]
    assert np.abs(found[:2, :, None] - nearest).max(0).min(1).max() < 0.02


def test_frames_are_put_where_they_are_asked_for() -> None:
    trace = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, -1.0, -2.0, -3.0], [1.0, 1.0, 5.0, 5.0], [0.0, 0.7, 0.0, 0.4]])
    found = resampled(trace, np.array([0.0, 2.0, 4.0, 8.0]), 9)
    np.testing.assert_allclose(found[0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0])
    np.testing.assert_allclose(found[1], -found[0])
    np.testing.assert_allclose(found[2], [1.0, 1.0, 1.0, 3.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    np.testing.assert_allclose(found[3], [0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4])
    # Where two gaps fall together, the longer one is kept.
    np.testing.assert_allclose(resampled(trace, np.array([0.0, 0.9, 1.0, 1.2]), 2)[3], [0.0, 0.7])


def resting(trace: Array, at: int, frames: int) -> Array:
    """The pen rests in the middle of the signature."""
    rest = np.repeat(trace[:, at : at + 1], frames, axis=1)
    rest[3] = 0.0
    return np.concatenate([trace[:, : at + 1], rest, trace[:, at + 1 :]], 1)


def test_a_quickened_forgery_is_as_long_as_asked_and_rests_less(pen_trace: PenTrace) -> None:
    slow = resting(resting(pen_trace(150, lifts=1), 100, 80), 40, 80)
    found = [quickened(slow, 90.0, np.random.default_rng(seed)) for seed in range(40)]
    lengths = np.array([trace.shape[1] for trace in found])
    assert np.log(lengths / 90.0).mean() == pytest.approx(0.04, abs=0.06)
    assert np.log(lengths / 90.0).std() == pytest.approx(0.12, abs=0.05)
    assert still(slow) > 0.5
    assert np.mean([still(trace) for trace in found]) < 0.6 * still(slow)
    (away,) = gaps(slow)
    assert all(0.3 * away <= gap <= away for trace in found for gap in gaps(trace))
    for trace in found:
        np.testing.assert_allclose(trace[:2, 0], slow[:2, 0])


@pytest.mark.parametrize(("length", "expected"), [(1.0, LEAST_FRAMES), (1e6, MOST_FRAMES)])
def test_a_quickened_forgery_has_a_usable_length(pen_trace: PenTrace, length: float, expected: int) -> None:
    assert quickened(pen_trace(60), length, np.random.default_rng(0)).shape == (4, expected)
    rest = pen_trace(20).copy()
    rest[:2, 3:] = rest[:2, 3:4]
    assert np.isfinite(quickened(rest, length, np.random.default_rng(0))).all()
