"""A jittered signature is one that its writer might have made: the same points, a little turned, stretched, repaced."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from encode.sample import StrokesSample
from encode.strokes import Trajectory, read_strokes
from train.jitter import JitterConfig, jitter

Sign = Callable[[str, int, bool], StrokesSample]


@pytest.fixture
def trajectory(sign: Sign) -> Trajectory:
    return read_strokes(sign("anna", 0, False))


def test_nothing_changes_where_nothing_may(trajectory: Trajectory) -> None:
    still = jitter(trajectory, JitterConfig(rotation=0.0, stretch=0.0, pace=0.0), np.random.default_rng(0))
    np.testing.assert_allclose(still.x, trajectory.x - trajectory.x.mean())
    np.testing.assert_allclose(still.y, trajectory.y - trajectory.y.mean())
    np.testing.assert_allclose(still.t, trajectory.t)
    np.testing.assert_array_equal(still.pen_down, trajectory.pen_down)


def test_a_turn_keeps_every_distance(trajectory: Trajectory) -> None:
    angles = []
    for seed in range(50):
        turned = jitter(trajectory, JitterConfig(rotation=10.0, stretch=0.0, pace=0.0), np.random.default_rng(seed))
        before = trajectory.x - trajectory.x.mean() + 1j * (trajectory.y - trajectory.y.mean())
        ratio = (turned.x + 1j * turned.y) / before
        np.testing.assert_allclose(np.abs(ratio), 1.0)
        angles.append(math.degrees(float(np.angle(ratio[0]))))
        np.testing.assert_allclose(np.angle(ratio), np.angle(ratio[0]), atol=1e-9)
    assert min(angles) < -5.0 < 5.0 < max(angles)
    assert max(map(abs, angles)) <= 10.0


def test_a_stretch_keeps_the_area(trajectory: Trajectory) -> None:
    stretched = jitter(trajectory, JitterConfig(rotation=0.0, stretch=0.2, pace=0.0), np.random.default_rng(3))
    sx, sy = (np.ptp(getattr(stretched, axis)) / np.ptp(getattr(trajectory, axis)) for axis in "xy")
    assert sx * sy == pytest.approx(1.0)
    assert 0.01 < abs(math.log(sx)) <= 0.2


@pytest.mark.parametrize("seed", range(20))
def test_time_keeps_its_ends_and_its_order(trajectory: Trajectory, seed: int) -> None:
    found = jitter(trajectory, JitterConfig(pace=0.5), np.random.default_rng(seed)).t
    assert (found[0], found[-1]) == pytest.approx((trajectory.t[0], trajectory.t[-1]))
    speed = np.diff(found) / np.diff(trajectory.t)
    assert 0.5 - 1e-9 <= speed.min() < speed.max() <= 1.5 + 1e-9


def test_what_is_drawn_follows_from_the_generator(trajectory: Trajectory) -> None:
    first, second, other = (jitter(trajectory, JitterConfig(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.t, second.t)
    assert not np.array_equal(first.x, other.x)
    assert not np.array_equal(first.t, other.t)
