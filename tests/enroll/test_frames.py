"""Prepared traces against each formula written out point by point, and what writing alike must share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import enroll.frames
from encode.errors import FieldInvalid
from enroll.frames import SETS, Frames, frame_distances, prepare_frames

Array = NDArray[np.float64]

CHANNELS = ("x", "y", "pressure", "mask")
CAPACITY = 40


def signature(seed: int, points: int = 25, *, pressure: bool = True) -> Array:
    """x, y, pressure, mask: float64 (4, CAPACITY)."""
    generator = np.random.default_rng(seed)
    trace = np.zeros((4, CAPACITY))
    trace[:2, :points] = generator.normal(size=(2, points)).cumsum(1) * 30 + 500
    if pressure:
        trace[2, :points] = generator.integers(1, 1024, points)
    trace[3, :points] = 1.0
    return trace


def frames(*traces: Array, sets: tuple[str, ...] = tuple(SETS)) -> Frames:
    return prepare_frames(np.stack(traces).reshape(len(traces), -1), CHANNELS, sets, field="rows")


def naive_motion(trace: Array) -> tuple[list[float], ...]:
    """Smoothed x and y and their slopes, with lists and clamped indices."""
    points = int(trace[3].sum())

    def at(values: list[float], index: int) -> float:
        return values[min(max(index, 0), points - 1)]

    def smooth(values: list[float]) -> list[float]:
        return [(at(values, t - 1) + 2 * at(values, t) + at(values, t + 1)) / 4 for t in range(points)]

    def slope(values: list[float]) -> list[float]:
        return [sum(k * at(values, t + k) for k in range(-2, 3)) / 10 for t in range(points)]

    x, y = smooth(trace[0, :points].tolist()), smooth(trace[1, :points].tolist())
    return x, y, slope(x), slope(y)


def z(values: list[float] | Array) -> Array:
    array = np.asarray(values)
    return (array - array.mean()) / array.std()


@pytest.mark.parametrize("points", [1, 2, 3, 25, CAPACITY])
def test_features_are_their_formulas(points: int) -> None:
    trace = signature(1, points)
    found = frames(trace)
    assert (found.lengths.tolist(), found.features.shape) == ([points], (1, 4, points, 6))
    if points < 3:
        assert np.isfinite(found.features).all()
        return
    x, y, dx, dy = naive_motion(trace)
    v = [(a * a + b * b) ** 0.5 for a, b in zip(dx, dy, strict=True)]
    cosine, sine = ([a / s for a, s in zip(d, v, strict=True)] for d in (dx, dy))
    size = (np.var(x) + np.var(y)) ** 0.5
    expected = {
        "motion": [z(dx), z(dy), z(v), z(cosine), z(sine)],
        "shape": [z(x), z(y), z(dx), z(dy)],
        "velocity": [np.array(dx) / size, np.array(dy) / size],
        "acceleration": naive_acceleration(dx, dy, 1e-3 * size / 2**0.5),
    }
    assert found.sets == tuple(expected)
    for index, (name, columns) in enumerate(expected.items()):
        np.testing.assert_allclose(found.features[0, index, :, : len(columns)], np.stack(columns, 1), atol=1e-9)
        assert not found.features[0, index, :, len(columns) : -1].any()
        pressure = np.zeros(points) if name == "acceleration" else z(trace[2, :points])
        np.testing.assert_allclose(found.features[0, index, :, -1], pressure, atol=1e-9)


def naive_acceleration(dx: list[float], dy: list[float], floor: float) -> list[Array]:
    points = len(dx)

    def slope(values: list[float]) -> list[float]:
        return [sum(k * values[min(max(t + k, 0), points - 1)] for k in range(-2, 3)) / 10 for t in range(points)]

    v = [(a * a + b * b) ** 0.5 + floor for a, b in zip(dx, dy, strict=True)]
    turns = zip(dx, dy, slope(dx), slope(dy), v, strict=True)
    return [z(slope(v)), z([(a * d - b * c) / speed for a, b, c, d, speed in turns])]


def test_way_and_aspect_are_the_pens() -> None:
    square = np.zeros((4, CAPACITY))
    square[:2, :5] = [[0, 4, 4, 0, 0], [0, 0, 2, 2, 0]]
    square[3, :5] = 1.0
    found = frames(square, square * np.array([[3.0], [3.0], [1.0], [1.0]]))
    size = ((np.var([0, 4, 4, 0, 0]) + np.var([0, 0, 2, 2, 0])) / 2) ** 0.5
    np.testing.assert_allclose(found.paths, np.log(12 / size))
    np.testing.assert_allclose(found.aspects, np.log(2))


def test_a_single_point_has_a_way_and_an_aspect() -> None:
    dot = signature(1, 1)
    assert np.isfinite(frames(dot).paths).all()
    assert frames(dot).aspects.tolist() == [0.0]


def test_a_slope_is_that_of_the_line_fitted_to_five_points() -> None:
    trace = signature(2)
    x, _, dx, _ = naive_motion(trace)
    fitted = [np.polyfit(range(5), x[t - 2 : t + 3], 1)[0] for t in range(2, 23)]
    np.testing.assert_allclose(dx[2:23], fitted)


@given(scale=st.floats(1e-3, 1e3), dx=st.floats(-1e3, 1e3), dy=st.floats(-1e3, 1e3), press=st.floats(1e-3, 1e3))
def test_unit_and_place_do_not_matter(scale: float, dx: float, dy: float, press: float) -> None:
    plain = signature(3)
    moved = plain.copy()
    moved[0], moved[1], moved[2] = scale * (plain[0] + dx), scale * (plain[1] + dy), press * plain[2]
    np.testing.assert_allclose(frames(moved).features, frames(plain).features, atol=1e-6)


def test_points_count_where_the_mask_is_set_wherever_they_lie() -> None:
    plain = signature(4, 20)
    spread = np.zeros_like(plain)
    spread[:, np.arange(20) * 2] = plain[:, :20]
    spread[:3, 1::2] = 1e6
    np.testing.assert_array_equal(frames(spread).features, frames(plain).features)


@pytest.mark.parametrize("pressure", [0.0, 512.0])
def test_a_pressure_that_never_changes_was_not_measured(pressure: float) -> None:
    flat = signature(5)
    flat[2, :25] = pressure
    found = frames(flat, signature(5))
    assert found.measured.tolist() == [False, True]
    assert not found.features[0, :, :, -1].any()


def test_a_pen_that_stands_still_has_no_features_and_no_warnings() -> None:
    still = signature(6)
    still[0], still[1] = 7.3, -1e5
    assert not frames(still).features[..., :-1].any()


def test_some_sets_and_some_rows_can_be_had_alone() -> None:
    traces = [signature(seed, points) for seed, points in ((7, 10), (8, 30), (9, 20))]
    whole, shape = frames(*traces), frames(*traces, sets=("shape",))
    np.testing.assert_array_equal(shape.features[:, 0, :, :4], whole.features[:, 1, :, :4])
    np.testing.assert_array_equal(shape.features[:, 0, :, -1], whole.features[:, 1, :, -1])
    chosen = whole.rows(np.array([2, 0]))
    assert chosen.lengths.tolist() == [20, 10]
    np.testing.assert_array_equal(chosen.features, whole.features[[2, 0]])
    np.testing.assert_array_equal(chosen.traces["x"], np.stack([traces[2][0], traces[0][0]]))


@pytest.mark.parametrize("pressure", [False, True])
@pytest.mark.parametrize("pairs_at_once", [1, 7, 1000])
def test_distances_are_those_of_single_pairs(
    pressure: bool, pairs_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll.frames, "_PAIRS_AT_ONCE", pairs_at_once)
    a = frames(*(signature(seed, 10 + seed) for seed in range(4)))
    b = frames(*(signature(seed, 40 - seed) for seed in range(10, 13)))
    i, j = np.indices((4, 3)).reshape(2, -1)
    found = frame_distances(a, b, (i, j), pressure=pressure)
    assert found.shape == (12, 4)
    for row, (one, other) in enumerate(zip(i, j, strict=True)):
        for index in range(4):
            width = 6 if pressure else 5
            left = a.features[one, index, : a.lengths[one], :width]
            right = b.features[other, index, : b.lengths[other], :width]
            assert found[row, index] == pytest.approx(naive_distance(left, right), rel=1e-5)


def naive_distance(a: Array, b: Array) -> float:
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            table[i + 1, j + 1] = np.linalg.norm(a[i] - b[j]) + min(table[i, j + 1], table[i + 1, j], table[i, j])
    return float(table[-1, -1])


def test_rows_that_hold_no_trace_are_named() -> None:
    empty, broken = signature(1), signature(1)
    empty[3] = 0.0
    broken[0, 3] = np.nan
    with pytest.raises(FieldInvalid, match="no point") as caught:
        frames(signature(1), empty)
    assert caught.value.field == "rows"
    with pytest.raises(FieldInvalid, match="not finite"):
        frames(broken)
    for shape in ((2, 7), (2, 0), (8,)):
        with pytest.raises(FieldInvalid, match="rows of 4 channels"):
            prepare_frames(np.ones(shape), CHANNELS, ("shape",), field="rows")
