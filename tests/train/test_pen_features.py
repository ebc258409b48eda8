"""Features of motion against a naive twin and against curves whose motion is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encode.pen_frames import padded
from train.networks.pen_features import FEATURES, PenFeatures

Array = NDArray[np.float64]
PenTrace = Callable[..., Array]

G = (2 * np.sin(0.2) + np.sin(0.1)) / 5
"""What five-point regression makes of the slope of a wave of 0.1 rad a frame."""


def features(trace: Array, length: int) -> Array:
    """(14, n), with the frames padded to `length`."""
    found, mask = PenFeatures()(torch.from_numpy(padded(trace, length))[None])
    n = trace.shape[1]
    assert mask[0, 0].tolist() == [1.0] * n + [0.0] * (length - n)
    assert bool((found[0, :, n:] == 0.0).all())
    return np.asarray(found[0, :, :n].double().numpy())


def filtered(values: list[float], kernel: list[float]) -> list[float]:
    """Σ_k kernel_k · values_{t+k}, the ends repeated."""
    reach, last = len(kernel) // 2, len(values) - 1
    return [
        sum(weight * values[min(max(t + k - reach, 0), last)] for k, weight in enumerate(kernel))
        for t in range(len(values))
    ]


def naive(trace: Array) -> Array:
    """The docstring's formulas, frame by frame; behind the end the pen rests, without ink."""
    n = trace.shape[1]
    resting = np.concatenate([trace, np.tile(trace[:, -1:] * [[1], [1], [1], [0]], 6)], 1)
    slope = [-0.2, -0.1, 0.0, 0.1, 0.2]
    x, y = (filtered([float(value) for value in row], [0.25, 0.5, 0.25]) for row in resting[:2])
    # The slope is taken of the ink; where the pen rests there is none.
    dx, dy = (filtered(row, slope)[:n] + [0.0] * 6 for row in (x, y))
    r = float(np.sqrt(np.mean([a * a + b * b for a, b in zip(dx[:n], dy[:n], strict=True)])))
    ax, ay = (filtered([value / r for value in row], slope) for row in (dx, dy))
    pressure = [float(value) for value in resting[2]]
    dp = filtered(pressure, slope)
    rows = []
    for t in range(n):
        squared = dx[t] ** 2 + dy[t] ** 2
        ux, uy = (value / np.sqrt(squared + (r / 100.0) ** 2) for value in (dx[t], dy[t]))
        along, across = ax[t] * ux + ay[t] * uy, ux * ay[t] - uy * ax[t]
        rows.append(
            [
                x[t],
                y[t],
                dx[t] / r,
                dy[t] / r,
                np.log(np.sqrt(squared) / r + 0.05),
                ux,
                uy,
                2.0 * along,
                2.0 * across,
                0.5 * np.log((squared / r**2 + 0.02) / (abs(across) + 0.02)),
                pressure[t],
                4.0 * dp[t],
                trace[3, t],
                float(any(trace[2])),
            ]
        )
    return np.array(rows).T


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pressure", [True, False])
def test_features_are_the_formulas(pen_trace: PenTrace, seed: int, pressure: bool) -> None:
    trace = pen_trace(90, seed, pressure=pressure)
    expected = naive(trace)
    assert expected.shape == (FEATURES, 90)
    # Far below one part in a thousand: float32, and 1e-8 under the roots.
    np.testing.assert_allclose(features(trace, 96), expected, atol=5e-4)


def circle(turns: float = 1.0) -> Array:
    """120 frames counter-clockwise (clockwise for −1), 0.1 rad each."""
    angle = 0.1 * turns * np.arange(120)
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(120), np.zeros(120)])


@pytest.mark.parametrize("turns", [1.0, -1.0])
def test_on_a_circle_all_acceleration_is_towards_the_middle(turns: float) -> None:
    found = features(circle(turns), 128)[:, 8:-8]
    speed = np.exp(found[4]) - 0.05
    np.testing.assert_allclose(speed, speed[0], rtol=1e-4)
    np.testing.assert_allclose(speed, 1.0, rtol=0.03)  # but for the two ends
    np.testing.assert_allclose(np.hypot(found[5], found[6]), 1.0, atol=1e-3)
    np.testing.assert_allclose(found[7], 0.0, atol=1e-3)
    np.testing.assert_allclose(found[8], 2.0 * turns * speed * G, rtol=1e-3)
    np.testing.assert_allclose(found[9], 0.5 * np.log((speed**2 + 0.02) / (speed * G + 0.02)), rtol=1e-3)


def test_on_a_line_there_is_only_a_direction() -> None:
    way = 0.05 * np.arange(60.0)
    found = features(np.stack([0.6 * way, 0.8 * way, np.zeros(60), np.zeros(60)]), 64)[:, 6:-6]
    np.testing.assert_allclose(found[5:7].T, np.tile([0.6, 0.8], (48, 1)), atol=1e-3)
    np.testing.assert_allclose(found[7:9], 0.0, atol=1e-3)
    assert (found[10:] == 0.0).all()


def test_the_overall_speed_does_not_show(pen_trace: PenTrace) -> None:
    """Twice as large, and twice as slow along a wave much longer than the filters: the same motion."""
    trace = pen_trace(90)
    larger = trace * np.array([[2.0], [2.0], [1.0], [1.0]])
    np.testing.assert_allclose(features(larger, 96)[2:], features(trace, 96)[2:], atol=2e-4)
    slow = circle()
    quick = slow[:, ::2]
    np.testing.assert_allclose(features(quick, 64)[4, 10:50], features(slow, 128)[4, 20:100:2], atol=0.03)


def test_a_mirrored_signature_has_mirrored_features(pen_trace: PenTrace) -> None:
    trace = pen_trace(90)
    plain, mirrored = features(trace, 96), features(trace * np.array([[-1.0], [1.0], [1.0], [1.0]]), 96)
    signs = np.ones((FEATURES, 1))
    signs[[0, 2, 5, 8]] = -1.0
    np.testing.assert_allclose(mirrored, signs * plain, atol=1e-5)


def test_padding_changes_nothing(pen_trace: PenTrace) -> None:
    trace = pen_trace(83)
    np.testing.assert_array_equal(features(trace, 88), features(trace, 512))


def test_an_empty_row_has_no_features() -> None:
    found, mask = PenFeatures()(torch.zeros(2, 5, 32))
    assert bool((found == 0.0).all())
    assert bool((mask == 0.0).all())
