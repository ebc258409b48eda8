"""The 1993 features: known curves, a twin written point by point, and what must not change them."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.bromley_features import FEATURES, SECONDS, FeatureName, bromley_features, detrend, resample
from encode.sample import StrokesSample
from encode.strokes import Trajectory, read_strokes

Written = Callable[..., StrokesSample]
Array = NDArray[np.float64]

INNER = slice(2, -2)


def drawn(x: Array, y: Array, *, duration: float = 2000.0, pen_down: NDArray[np.bool_] | None = None) -> Trajectory:
    t = np.linspace(0.0, duration, len(x))
    return Trajectory(x, y, t, None, np.ones(len(x), bool) if pen_down is None else pen_down)


def circle(*, radius: float = 70.0, turns: float = 2.0, clockwise: bool = False) -> Trajectory:
    angle = np.linspace(0.0, 2.0 * np.pi * turns, 4001)
    return drawn(radius * np.cos(angle), radius * np.sin(angle) * (-1.0 if clockwise else 1.0))


@pytest.mark.parametrize("clockwise", [False, True])
def test_a_circle_at_constant_speed(clockwise: bool) -> None:
    found = bromley_features(circle(clockwise=clockwise), 400)
    side = -1.0 if clockwise else 1.0
    rate = 2.0 * np.pi * 2.0 / (2.0 / SECONDS)  # radians per unit of time
    radius = math.sqrt(2.0)  # in standard deviations of a sine
    angle = np.linspace(0.0, 4.0 * np.pi, 400)
    turn = 2.0 * angle[1]
    expected: dict[FeatureName, Array | float] = {
        "pen": 1.0,
        "speed": radius * rate,
        "centripetal": side * radius * rate**2,
        "tangential": 0.0,
        "cos_direction": -np.sin(angle)[INNER],
        "sin_direction": side * np.cos(angle)[INNER],
        "cos_curvature": math.cos(turn),
        "sin_curvature": side * math.sin(turn),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][INNER], values, atol=3e-3, rtol=3e-3, err_msg=name)


def test_a_straight_line_at_constant_acceleration() -> None:
    """A pen that starts at rest and moves by s = ½ g t² along (3, 4)/5."""
    s = np.linspace(0.0, 1.0, 2001) ** 2 * 500.0
    found = bromley_features(drawn(0.6 * s, 0.8 * s), 200)
    sigma = (0.8 * np.linspace(0.0, 1.0, 200) ** 2 * 500.0).std()
    units = 2.0 / SECONDS  # the whole duration
    time = np.linspace(0.0, units, 200)
    gain = 2.0 * 500.0 / units**2 / sigma
    np.testing.assert_allclose(found["speed"][INNER], (gain * time)[INNER], rtol=1e-3)
    np.testing.assert_allclose(found["tangential"][INNER], gain, rtol=1e-3)
    np.testing.assert_allclose(found["centripetal"][INNER], 0.0, atol=1e-9)
    np.testing.assert_allclose(found["cos_direction"][1:], 0.6, atol=1e-9)
    np.testing.assert_allclose(found["sin_direction"][1:], 0.8, atol=1e-9)
    np.testing.assert_allclose(found["cos_curvature"][INNER], 1.0, atol=1e-9)
    np.testing.assert_allclose(found["sin_curvature"][INNER], 0.0, atol=1e-9)


def test_steady_writing_to_the_right_is_taken_out_of_the_positions() -> None:
    u = np.linspace(0.0, 1.0, 1001)
    waves, pace = np.sin(2.0 * np.pi * 10.0 * u), 900.0 * u
    still, moving = (bromley_features(drawn(50.0 * waves + drift, 20.0 * waves), 200) for drift in (0.0, pace))
    np.testing.assert_allclose(moving["x"], still["x"], atol=1e-9)
    np.testing.assert_allclose(moving["x"], 2.5 * moving["y"], atol=0.05)
    assert abs(moving["speed"] - still["speed"]).max() > 0.1


def test_a_pen_at_rest_has_no_direction() -> None:
    x = np.concatenate([np.linspace(0.0, 10.0, 500), np.full(501, 10.0)])
    found = bromley_features(drawn(x, -x), 101)
    rest = slice(53, None)
    for name in set(FEATURES) - {"pen", "x", "y"}:
        np.testing.assert_array_equal(found[name][rest], 0.0, err_msg=name)
    np.testing.assert_allclose(found["cos_direction"][:48], math.sqrt(0.5), atol=1e-9)


def test_a_pen_that_trembles_by_rounding_alone_is_at_rest() -> None:
    tremble = 1e-9 * np.random.default_rng(0).normal(size=501)
    x = np.concatenate([np.linspace(0.0, 1e3, 500), 1e3 + tremble])
    found = bromley_features(drawn(x, -x), 101)
    np.testing.assert_array_equal(found["cos_direction"][53:], 0.0)
    np.testing.assert_array_equal(found["centripetal"][53:], 0.0)


@pytest.mark.parametrize("angle", [0.0, 0.5 * np.pi])
def test_level_and_upright_lines_are_finite(angle: float) -> None:
    s = 100.0 * np.linspace(-1.0, 1.0, 300) ** 3
    found = bromley_features(drawn(s * math.cos(angle), s * math.sin(angle)), 200)
    assert all(np.isfinite(values).all() for values in found.values())
    assert max(abs(values).max() for values in found.values()) < 1e3


def test_the_jump_between_strokes_is_pen_up_from_end_to_end() -> None:
    """0–1 s and 1.5–2 s are ink; the second stroke begins with a point that is not marked as down."""
    t = np.concatenate([np.arange(0.0, 1001.0, 10.0), np.arange(1500.0, 2001.0, 10.0)])
    down = np.ones(len(t), bool)
    down[[0, 101]] = False
    pen = bromley_features(Trajectory(t, np.sin(t), t, None, down), 201)["pen"]
    np.testing.assert_array_equal(pen, np.where((np.arange(201) > 100) & (np.arange(201) <= 150), -1.0, 1.0))


def naive(trajectory: Trajectory, points: int) -> dict[FeatureName, list[float]]:
    """Point by point, in plain Python."""
    t, down = trajectory.t.tolist(), trajectory.pen_down.tolist()
    grid = [t[-1] * k / (points - 1) for k in range(points)]
    xs, ys, pen = [], [], []
    for u in grid:
        i = next((k for k in range(1, len(t)) if t[k] >= u - 1e-9), len(t) - 1)
        w = (u - t[i - 1]) / (t[i] - t[i - 1])
        xs.append(trajectory.x[i - 1] * (1 - w) + trajectory.x[i] * w)
        ys.append(trajectory.y[i - 1] * (1 - w) + trajectory.y[i] * w)
        pen.append(1.0 if down[i] else -1.0)
    mean = sum(ys) / points
    sigma = math.sqrt(sum((y - mean) ** 2 for y in ys) / points)
    slope_x, base_x = np.polyfit(grid, xs, 1)
    slope_y, base_y = np.polyfit(grid, ys, 1)
    dt = t[-1] / (points - 1) / 1000.0 / SECONDS

    def derivative(values: list[float]) -> list[float]:
        found = []
        for k in range(points):
            low, high = max(0, k - 1), min(points - 1, k + 1)
            found.append((values[high] - values[low]) / ((high - low) * dt))
        return found

    vx, vy = (derivative([value / sigma for value in values]) for values in (xs, ys))
    ax, ay = derivative(vx), derivative(vy)
    theta = [math.atan2(b, a) for a, b in zip(vx, vy, strict=True)]
    turns = [theta[min(points - 1, k + 1)] - theta[max(0, k - 1)] for k in range(points)]
    return {
        "pen": pen,
        "x": [(x - base_x - slope_x * u) / sigma for x, u in zip(xs, grid, strict=True)],
        "y": [(y - base_y - slope_y * u) / sigma for y, u in zip(ys, grid, strict=True)],
        "speed": [math.hypot(a, b) for a, b in zip(vx, vy, strict=True)],
        "centripetal": [math.cos(h) * b - math.sin(h) * a for h, a, b in zip(theta, ax, ay, strict=True)],
        "tangential": [math.cos(h) * a + math.sin(h) * b for h, a, b in zip(theta, ax, ay, strict=True)],
        "cos_direction": [math.cos(h) for h in theta],
        "sin_direction": [math.sin(h) for h in theta],
        "cos_curvature": [math.cos(turn) for turn in turns],
        "sin_curvature": [math.sin(turn) for turn in turns],
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("points", [64, 200])
@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_agrees_with_its_naive_twin(written: Written, seed: int, points: int, name: FeatureName) -> None:
    draw = np.random.default_rng(seed)
    trajectory = read_strokes(written(seed=seed, t=np.cumsum(draw.uniform(2.0, 25.0, 120))))
    expected = naive(trajectory, points)[name]
    np.testing.assert_allclose(bromley_features(trajectory, points)[name], expected, rtol=1e-7, atol=1e-7)


def moved(trajectory: Trajectory, *, scale: float = 1.0, right: float = 0.0, up: float = 0.0) -> Trajectory:
    x, y = trajectory.x * scale + right, trajectory.y * scale + up
    return Trajectory(x, y, trajectory.t, trajectory.pressure, trajectory.pen_down)


@pytest.mark.parametrize("change", [{"scale": 0.02645}, {"scale": 1e4}, {"right": 3e4, "up": -7e4}], ids=str)
def test_place_and_unit_of_length_change_nothing(written: Written, change: dict[str, float]) -> None:
    trajectory = read_strokes(written())
    plain, other = (bromley_features(one, 200) for one in (trajectory, moved(trajectory, **change)))
    for name in FEATURES:
        np.testing.assert_allclose(other[name], plain[name], atol=1e-6, err_msg=name)


def test_half_the_pace_halves_speed_and_quarters_acceleration(written: Written) -> None:
    quick, slow = (bromley_features(read_strokes(written(t=pace * np.arange(120))), 200) for pace in (10.0, 20.0))
    for name in FEATURES:
        factor = {"speed": 0.5, "centripetal": 0.25, "tangential": 0.25}.get(name, 1.0)
        np.testing.assert_allclose(slow[name], factor * quick[name], atol=1e-9, err_msg=name)


def test_the_rate_of_the_tablet_hardly_matters() -> None:
    """A curve sampled at 100 and at 200 Hz."""
    fine = circle(turns=1.5)
    coarse = [Trajectory(fine.x[::k], fine.y[::k], fine.t[::k], None, fine.pen_down[::k]) for k in (10, 20)]
    first, second = (bromley_features(one, 100) for one in coarse)
    for name in FEATURES:
        np.testing.assert_allclose(second[name][INNER], first[name][INNER], atol=0.05, err_msg=name)


def test_resampling_keeps_both_ends_and_is_linear_between() -> None:
    t = np.array([0.0, 10.0, 40.0])
    x, y, ink = resample(Trajectory(5.0 + t**2, -t, t, None, np.array([True, True, False])), 5)
    np.testing.assert_allclose(x, [0.0, 100.0, 600.0, 1100.0, 1600.0])
    np.testing.assert_allclose(y, [0.0, -10.0, -20.0, -30.0, -40.0])
    np.testing.assert_array_equal(ink, [True, True, False, False, False])


def test_detrending_is_the_least_squares_fit() -> None:
    values = np.random.default_rng(0).normal(size=50).cumsum()
    u = np.arange(50.0)
    np.testing.assert_allclose(detrend(values), values - np.polyval(np.polyfit(u, values, 1), u), atol=1e-9)
    np.testing.assert_allclose(detrend(3.0 - 7.0 * u), 0.0, atol=1e-9)
