"""How one hand varies from one signature to the next: small turns, stretches and changes of pace of a trajectory.

    turn and stretch   (x, y) → R(angle) · diag(e^s, e^−s) · ((x, y) − centre)
    pace               u → u + Σ_k a_k · sin(π·k·u) / (π·k),   u = t / duration,   k = 1 … 3

The ends of a signature stay where they are in time, and the pace of each moment changes by at most the fraction
`pace`. What is drawn stays far inside what features made relative to a signature's own size and duration forgive, so
that a jittered signature is one the person might have written.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encode.strokes import Trajectory

_WAVES = 3


@dataclass(frozen=True)
class JitterConfig:
    """`views` jittered trajectories of each signature, beside the one recorded; ranges are drawn from evenly.

    Attributes
    ----------
    rotation : degrees, either way.
    stretch : s above, either way: the sides' proportion changes by e^2s.
    pace : largest change of speed at any moment, a fraction below 1.
    """

    views: int = 0
    rotation: float = 4.0
    stretch: float = 0.05
    pace: float = 0.15

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        if self.views < 0 or not 0.0 <= self.pace < 1.0:
            raise ValueError("views must be at least 0, and pace at least 0 and below 1")


def jitter(trajectory: Trajectory, config: JitterConfig, generator: np.random.Generator) -> Trajectory:
    """Another signature of the same hand; points, pressure and pen are as many and as they were."""
    angle = math.radians(float(generator.uniform(-config.rotation, config.rotation)))
    stretch = math.exp(float(generator.uniform(-config.stretch, config.stretch)))
    x = (trajectory.x - trajectory.x.mean()) * stretch
    y = (trajectory.y - trajectory.y.mean()) / stretch
    cos, sin = math.cos(angle), math.sin(angle)
    return replace(
        trajectory,
        x=cos * x - sin * y,
        y=sin * x + cos * y,
        t=_repaced(trajectory.t, config.pace, generator),
    )


def _repaced(t: NDArray[np.float64], pace: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Times strictly increasing as before: the slope of the map stays within 1 ± `pace`."""
    waves = np.arange(1, _WAVES + 1) * np.pi
    amplitudes = generator.uniform(-pace, pace, _WAVES) / _WAVES
    duration = t[-1] - t[0]
    u = (t - t[0]) / duration
    warped: NDArray[np.float64] = t[0] + duration * (u + np.sin(u[:, None] * waves) @ (amplitudes / waves))
    return warped
