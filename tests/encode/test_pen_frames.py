"""Frames of the ink against a naive twin; and that rate, unit, place and hover of a device do not show in them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encode.errors import BundleCorrupt
from encode.pen_frames import PenFrames, resample_ink
from encode.sample import StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import Trajectory, read_strokes

Array = NDArray[np.float64]
Written = Callable[..., StrokesSample]


def curve(t: Array, down: NDArray[np.bool_], *, pressure: bool = True) -> Trajectory:
    """Loops, as a pen would write them at the times t (ms)."""
    s = t / 1000.0
    force = 300.0 + 100.0 * np.sin(5.0 * s) if pressure else None
    return Trajectory(400.0 * s + 90.0 * np.sin(9.0 * s), 250.0 * np.cos(7.0 * s) - 50.0 * s, t, force, down)


def three_strokes(rate: float = 100.0, *, pressure: bool = True) -> Trajectory:
    """0 … 600 ms, 800 … 1300 ms, 1340 … 2000 ms on the surface; the times of 20 ms are among the points."""
    t = np.arange(0.0, 2000.0 + 1e-9, 1000.0 / rate)
    down = (t <= 600.0) | ((t >= 800.0) & (t <= 1300.0)) | (t >= 1340.0)
    return curve(t, down, pressure=pressure)


def between(at: float, t: list[float], values: list[float]) -> float:
    """Linear interpolation, one point at a time."""
    for left in range(len(t) - 1):
        if t[left] <= at <= t[left + 1]:
            share = (at - t[left]) / (t[left + 1] - t[left])
            return (1.0 - share) * values[left] + share * values[left + 1]
    return values[-1]


def naive(trajectory: Trajectory, rate: float) -> Array:
    """(4, n): the frames without thinning and padding, from the docstring's formulas."""
    x: list[float] = []
    y: list[float] = []
    pressure: list[float] = []
    gaps: list[float] = []
    strokes: list[list[int]] = []
    for point, down in enumerate(trajectory.pen_down):
        if down and (point == 0 or not trajectory.pen_down[point - 1]):
            strokes.append([])
        if down:
            strokes[-1].append(point)
    end = None
    for stroke in strokes:
        t = [float(trajectory.t[point]) for point in stroke]
        count = 0
        while t[0] + count * 1000.0 / rate <= t[-1] + 1e-6:
            at = t[0] + count * 1000.0 / rate
            x.append(between(at, t, [float(trajectory.x[point]) for point in stroke]))
            y.append(between(at, t, [float(trajectory.y[point]) for point in stroke]))
            if trajectory.pressure is not None:
                pressure.append(between(at, t, [float(trajectory.pressure[point]) for point in stroke]))
            gaps.append(float(np.log(1.0 + (t[0] - end) / 100.0)) if count == 0 and end is not None else 0.0)
            count += 1
        end = t[-1]
    size = np.sqrt((np.var(x) + np.var(y)) / 2.0)
    force = (np.array(pressure) - np.mean(pressure)) / np.std(pressure) if pressure else np.zeros(len(x))
    return np.stack([(np.array(x) - np.mean(x)) / size, (np.array(y) - np.mean(y)) / size, force, np.array(gaps)])


@pytest.mark.parametrize("rate", [50.0, 33.0, 170.0])
@pytest.mark.parametrize("pressure", [True, False])
def test_frames_are_the_formulas(rate: float, pressure: bool) -> None:
    trajectory = three_strokes(pressure=pressure)
    expected = naive(trajectory, rate)
    found = PenFrames(rate=rate, frames=512).apply(trajectory)
    n = expected.shape[1]
    assert found.shape == (5, 512)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:4, :n], expected, atol=1e-5)
    np.testing.assert_array_equal(found[4], np.arange(512) < n)


def test_behind_the_end_the_pen_stays_where_it_was() -> None:
    found = PenFrames().apply(three_strokes())
    n = int(found[4].sum())
    assert n < 512
    for channel in range(3):
        assert (found[channel, n:] == found[channel, n - 1]).all()
    assert (found[3, n:] == 0.0).all()


def test_a_gap_stands_at_the_first_frame_of_each_later_stroke() -> None:
    ink = resample_ink(three_strokes(), 50.0)
    np.testing.assert_array_equal(np.flatnonzero(ink[3]), [31, 31 + 26])
    np.testing.assert_allclose(ink[3, [31, 57]], [200.0, 40.0])
    framed = PenFrames().apply(three_strokes())
    np.testing.assert_allclose(framed[3, [31, 57]], np.log([3.0, 1.4]), rtol=1e-6)


def test_a_long_wait_counts_as_ten_seconds() -> None:
    t = np.concatenate([10.0 * np.arange(40), 60_000.0 + 10.0 * np.arange(40)])
    down = np.arange(80) != 40
    assert PenFrames().apply(curve(t, down))[3].max() == pytest.approx(np.log(101.0), rel=1e-6)


def test_hover_is_dropped() -> None:
    plain = three_strokes()
    elsewhere = np.where(plain.pen_down, 0.0, 1e4)
    moved = replace(plain, x=plain.x + elsewhere, y=plain.y - elsewhere)
    np.testing.assert_array_equal(PenFrames().apply(moved), PenFrames().apply(plain))


def test_the_rate_of_the_tablet_does_not_show() -> None:
    """Every frame at 50 Hz is a point of either tablet."""
    slow, quick = (PenFrames().apply(three_strokes(rate)) for rate in (100.0, 200.0))
    n = int(slow[4].sum())
    np.testing.assert_array_equal(quick[4], slow[4])
    np.testing.assert_allclose(quick[[0, 1, 2]][:, :n], slow[[0, 1, 2]][:, :n], atol=1e-6)


def test_unit_and_place_do_not_show() -> None:
    plain = three_strokes()
    assert plain.pressure is not None
    other = replace(plain, x=3.7 * plain.x - 900.0, y=3.7 * plain.y + 50.0, pressure=0.01 * plain.pressure + 7.0)
    np.testing.assert_allclose(PenFrames().apply(other), PenFrames().apply(plain), atol=1e-5)


def test_ink_lies_in_the_middle_and_has_size_one() -> None:
    found = PenFrames().apply(three_strokes()).astype(np.float64)
    ink = found[:3, found[4] > 0.5]
    np.testing.assert_allclose(ink.mean(1), 0.0, atol=1e-6)
    assert (ink[:2] ** 2).mean() == pytest.approx(1.0, abs=1e-5)
    assert ink[2].std() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("pressure", [None, 0.0, 512.0, 1e9])
def test_pressure_that_was_not_measured_or_never_changes_is_zero(pressure: float | None) -> None:
    plain = three_strokes(pressure=False)
    constant = None if pressure is None else np.full(len(plain), pressure)
    assert (PenFrames().apply(replace(plain, pressure=constant))[2] == 0.0).all()


def test_a_long_signature_is_thinned_evenly_and_keeps_its_gaps() -> None:
    trajectory = three_strokes()
    whole = naive(trajectory, 50.0)
    found = PenFrames(frames=32).apply(trajectory)
    assert (found[4] == 1.0).all()
    at = np.linspace(0.0, whole.shape[1] - 1.0, 32)
    ink = np.stack([np.interp(at, np.arange(whole.shape[1]), row) for row in whole[:2]])
    ink -= ink.mean(1, keepdims=True)
    np.testing.assert_allclose(found[:2], ink / np.sqrt((ink**2).mean()), atol=1e-5)
    np.testing.assert_allclose(found[3][found[3] > 0.0], whole[3][whole[3] > 0.0], rtol=1e-5)
    # A gap stays ahead of the first frame that lies in the later stroke.
    np.testing.assert_array_equal(np.flatnonzero(found[3]), np.searchsorted(at, np.flatnonzero(whole[3])))


def test_a_dot_at_the_end_of_a_long_signature_keeps_its_gap() -> None:
    trajectory = three_strokes()
    down = trajectory.pen_down & ((trajectory.t <= 1300.0) | (trajectory.t == 1500.0))
    found = PenFrames(frames=32).apply(replace(trajectory, pen_down=down))
    np.testing.assert_array_equal(found[4], 1.0)
    assert found[3, -1] == pytest.approx(np.log(3.0), rel=1e-6)


def test_a_device_that_stalls_does_not_fill_the_signature() -> None:
    t = np.concatenate([10.0 * np.arange(20), 30_000.0 + 10.0 * np.arange(20)])
    ink = resample_ink(curve(t, np.ones(40, np.bool_)), 50.0)
    assert ink.shape[1] == 80
    np.testing.assert_allclose(ink[0, [0, -1]], curve(t, np.ones(40, np.bool_)).x[[0, -1]])


def test_a_stroke_of_one_point_is_one_frame() -> None:
    trajectory = three_strokes()
    down = trajectory.pen_down.copy()
    down[70] = True
    ink = resample_ink(replace(trajectory, pen_down=down), 50.0)
    assert ink.shape[1] == resample_ink(trajectory, 50.0).shape[1] + 1
    np.testing.assert_allclose(ink[:2, 31], [trajectory.x[70], trajectory.y[70]])
    np.testing.assert_allclose(ink[3, [31, 32]], [100.0, 100.0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.5, 3000.0), st.booleans(), st.floats(0, 1e4)),
        min_size=2,
        max_size=60,
    ).filter(lambda points: any(point[3] for point in points))
)
def test_whatever_was_written_frames_are_finite(points: list[tuple[float, float, float, bool, float]]) -> None:
    x, y, steps, down, pressure = (np.array(column) for column in zip(*points, strict=True))
    found = PenFrames(rate=100.0, frames=64).apply(Trajectory(x, y, np.cumsum(steps), pressure, down))
    assert np.isfinite(found).all()
    n = int(found[4].sum())
    assert n >= 1
    np.testing.assert_array_equal(found[4], np.arange(64) < n)
    assert (found[3] >= 0.0).all()
    assert found[3, 0] == 0.0


def test_the_manifest_says_everything(written: Written) -> None:
    steps = StrokePreprocessing([{"step": "pen_frames"}])
    assert steps.describe() == [{"step": "pen_frames", "rate": 50.0, "frames": 512}]
    assert steps.shape == (5, 512)
    trajectory = read_strokes(written())
    np.testing.assert_array_equal(steps(trajectory), PenFrames().apply(trajectory))


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"frames": 100}, "frames"), ({"frames": 24}, "frames"), ({"rate": 5.0}, "rate"), ({"hertz": 50.0}, "hertz")],
)
def test_a_wrong_parameter_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleCorrupt) as caught:
        StrokePreprocessing([{"step": "pen_frames"} | changes])
    assert caught.value.field == f"preprocessing.0.pen_frames.{field}"
