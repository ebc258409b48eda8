"""The ten features of the 1993 signature network, by formula.

With p = (x, y) on a grid uniform in time, dt apart, θ the direction of motion and σ the standard deviation of y:

    pen           +1 where the segment the grid point lies on is ink, −1 where the pen is up
    x, y          (x − (a + b t)) / σ and (y − (c + d t)) / σ: deviation from the least-squares line over time
    speed         |v|,                    v = dp/dt / σ
    centripetal   (v_x a_y − v_y a_x)/|v|,   a = dv/dt; positive in a turn to the left
    tangential    (v_x a_x + v_y a_y)/|v|
    cos_direction, sin_direction     v/|v| = (cos θ, sin θ)
    cos_curvature, sin_curvature     cos φ and sin φ of the turn φ_k = θ_{k+1} − θ_{k−1} about each point

Derivatives are central differences, one-sided at the ends; a direction beyond an end is the one at the end. Where the
pen rests there is no direction: all six features that ask for one are 0 there, and curvature also next to it.

The features are those of Bromley, Guyon, LeCun, Säckinger and Shah 1993, *Signature Verification using a "Siamese" Time
Delay Neural Network*, section 3; directions and turns as in Guyon et al. 1991, *Design of a Neural Network Character
Recognizer for a Touch Terminal*. The paper gives no units of time. Here speed is in σ per 0.05 s and acceleration
in σ per (0.05 s)²; see `SECONDS`.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from encode.strokes import Trajectory

Array = NDArray[np.float64]

FeatureName = Literal[
    "pen",
    "x",
    "y",
    "speed",
    "centripetal",
    "tangential",
    "cos_direction",
    "sin_direction",
    "cos_curvature",
    "sin_curvature",
]
FEATURES: tuple[FeatureName, ...] = get_args(FeatureName)
"""In the paper's order: `encode.stroke_steps` takes the first eight unless told otherwise."""

SECONDS = 0.05
"""The unit of time of speed and acceleration, s: within a pen stroke, so that all features are of the order of 1."""

_FLATTEST = 0.01
"""The smallest σ, as a fraction of the larger side of the signature: a level line has no deviation of its own."""

_AT_REST = 1e-9
"""σ per grid step below which the pen rests; far above rounding, far below what tablets resolve."""


def resample(trajectory: Trajectory, points: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Uniform in time over the whole duration, both ends included.

    Returns
    -------
    x, y : float64 (points,), interpolated linearly, relative to the first point.
    ink : bool (points,), whether the segment that a grid point lies on is ink (at a recorded point: the segment that
        leads to it), so that the jump to where the next stroke begins is pen-up from end to end.
    """
    grid = np.linspace(0.0, trajectory.t[-1], points)
    ahead = np.clip(np.searchsorted(trajectory.t, grid, side="left"), 1, len(trajectory) - 1)
    x, y = (np.interp(grid, trajectory.t, values - values[0]) for values in (trajectory.x, trajectory.y))
    return x, y, trajectory.pen_down[ahead]


def detrend(values: Array) -> Array:
    """Float64 (n,) on a uniform grid → deviation from its least-squares line, float64 (n,)."""
    grid = np.linspace(-1.0, 1.0, len(values))
    centred = values - values.mean()
    return np.asarray(centred - grid * (grid @ centred) / (grid @ grid))


def bromley_features(trajectory: Trajectory, points: int) -> dict[FeatureName, Array]:
    """All ten features by name, each float64 (points,), finite.

    They do not change when the signature is moved, nor when its unit of length changes.
    """
    x, y, ink = resample(trajectory, points)
    sigma = max(float(y.std()), _FLATTEST * float(max(np.ptp(trajectory.x), np.ptp(trajectory.y))))
    x, y = (x - x.mean()) / sigma, (y - y.mean()) / sigma
    step = float(trajectory.t[-1]) / (points - 1) / (1000.0 * SECONDS)
    vx, vy = np.gradient(x, step), np.gradient(y, step)
    ax, ay = np.gradient(vx, step), np.gradient(vy, step)
    speed = np.hypot(vx, vy)
    moving = speed * step > _AT_REST
    # Dividing by infinity is how a pen at rest gets zeros.
    divisor = np.where(moving, speed, np.inf)
    cosine, sine = vx / divisor, vy / divisor
    before, after = _neighbours(cosine, sine)
    return {
        "pen": np.where(ink, 1.0, -1.0),
        "x": detrend(x),
        "y": detrend(y),
        "speed": speed,
        "centripetal": cosine * ay - sine * ax,
        "tangential": cosine * ax + sine * ay,
        "cos_direction": cosine,
        "sin_direction": sine,
        "cos_curvature": before[0] * after[0] + before[1] * after[1],
        "sin_curvature": before[0] * after[1] - before[1] * after[0],
    }


def _neighbours(cosine: Array, sine: Array) -> tuple[Array, Array]:
    """The directions (2, n) before and after each point."""
    padded = np.pad(np.stack([cosine, sine]), ((0, 0), (1, 1)), mode="edge")
    return padded[:, :-2], padded[:, 2:]
