"""Pen frames that were never written: another go of the same hand, a forger's attempt, a forger as quick as the writer.

A trace is float64 (4, n): x, y, pressure and gap of `encode.pen_frames`, without padding. Strokes are cut where speed
has a minimum; each is then written longer or shorter, larger or smaller, and turned, by log-normal factors and a normal
angle, and the pieces are joined again: the strengths decide whether the result passes for the writer's own or for a
forgery (sigma-lognormal duplicates do the same to strokes of a fitted model; here nothing is fitted).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Trace = NDArray[np.float64]

LEAST_FRAMES, MOST_FRAMES = 16, 512


@dataclass(frozen=True)
class Distortion:
    """Deviations of log time, log amplitude and angle (rad) from stroke to stroke, and what goes over all of them.

    Attributes
    ----------
    slower : log factor on all of time.
    tremor : of the signature's size.
    pressure : share of the pressure's course that is made up, 0 … 1.
    """

    time: float
    amplitude: float
    angle: float
    slower: float = 0.0
    tremor: float = 0.0
    pressure: float = 0.0

    @classmethod
    def own_hand(cls, strength: float) -> "Distortion":
        """How far a writer strays from himself; `strength` about 0.1."""
        return cls(strength, 0.9 * strength, 0.65 * strength)

    @classmethod
    def forgery(cls, generator: np.random.Generator) -> "Distortion":
        """How far forgers stray, drawn anew for every forgery."""
        return cls(
            time=generator.uniform(0.15, 0.4),
            amplitude=generator.uniform(0.12, 0.35),
            angle=generator.uniform(0.08, 0.3),
            slower=generator.uniform(-0.2, 0.25),
            tremor=generator.uniform(0.0, 0.02),
            pressure=generator.uniform(0.0, 0.6),
        )


def resampled(trace: Trace, places: NDArray[np.float64], count: int) -> Trace:
    """Frame i of `trace` (4, n) put at `places[i]` (ascending, 0 … count − 1) → (4, count); gaps keep their size."""
    at = np.arange(count)
    out = np.zeros((4, count))
    for channel in range(3):
        out[channel] = np.interp(at, places, trace[channel])
    lifted = np.flatnonzero(trace[3])
    if len(lifted):
        where = np.clip(np.round(places[lifted]).astype(np.int64), 0, count - 1)
        np.maximum.at(out[3], where, trace[3, lifted])
    return out


def stretched(trace: Trace, count: int) -> Trace:
    """The whole of `trace` (4, n) written evenly slower or quicker, in `count` frames."""
    n = trace.shape[1]
    return resampled(trace, np.arange(n) * ((count - 1) / (n - 1)), count)


def distorted(trace: Trace, how: Distortion, generator: np.random.Generator) -> Trace:
    """`trace` (4, n) with every stroke of it changed."""
    steps = np.diff(trace[:2], axis=1)
    cuts = _stroke_ends(steps)
    strokes = len(cuts) - 1
    of_step = np.repeat(np.arange(strokes), np.diff(cuts))
    slower = np.exp(generator.normal(0.0, how.time, strokes) + how.slower)[of_step]
    larger = np.exp(generator.normal(0.0, how.amplitude, strokes))[of_step]
    angle = generator.normal(0.0, how.angle, strokes)[of_step]
    cos, sin = np.cos(angle), np.sin(angle)
    changed = larger * np.stack([cos * steps[0] - sin * steps[1], sin * steps[0] + cos * steps[1]])
    path = np.concatenate([trace[:2, :1], trace[:2, :1] + np.cumsum(changed, 1)], 1)
    out = _placed(np.concatenate([path, trace[2:]]), slower)
    count = out.shape[1]
    if how.tremor > 0.0:
        shaking = generator.normal(0.0, how.tremor, (2, count + 2))
        out[:2] += 0.2 * shaking[:, :-2] + 0.6 * shaking[:, 1:-1] + 0.2 * shaking[:, 2:]
    if how.pressure > 0.0 and out[2].any():
        knots = max(2, count // 12)
        course = np.interp(np.arange(count), np.linspace(0, count - 1, knots), generator.normal(0.0, 1.0, knots))
        out[2] = (1.0 - how.pressure) * out[2] + how.pressure * course
    return out


def repaced(trace: Trace, deviation: float, generator: np.random.Generator) -> Trace:
    """`trace` (4, n) at a pace that drifts: log-normal over about 0.4 s, of this deviation."""
    n = trace.shape[1]
    knots = max(3, n // 20)
    drift = np.interp(np.arange(n - 1), np.linspace(0, n - 2, knots), generator.normal(0.0, deviation, knots))
    return _placed(trace, np.exp(drift))


def quickened(trace: Trace, length: float, generator: np.random.Generator) -> Trace:
    """A forgery as it would be if the forger were as quick as the writer, who takes `length` frames.

    Most frames of a pen nearly at rest go, the rest is stretched evenly, and the pen is away for less. What is left to
    tell is how the strokes run, not that they were drawn slowly.
    """
    n = trace.shape[1]
    moved = np.hypot(*np.diff(trace[:2], axis=1))
    kept = np.concatenate([[True], (moved > 0.12 * moved.mean()) | (generator.random(n - 1) < 0.35)])
    if np.count_nonzero(kept) >= LEAST_FRAMES:
        trace = trace[:, kept]
    trace = trace * np.array([[1.0], [1.0], [1.0], [generator.uniform(0.3, 1.0)]])
    count = int(np.clip(length * np.exp(generator.normal(0.04, 0.12)), LEAST_FRAMES, MOST_FRAMES))
    return stretched(trace, count)


def _placed(trace: Trace, durations: NDArray[np.float64]) -> Trace:
    """`trace` (4, n) with its n − 1 steps taking `durations` frames each."""
    places = np.concatenate([[0.0], np.cumsum(durations)])
    count = int(np.clip(round(float(places[-1])) + 1, LEAST_FRAMES, MOST_FRAMES))
    return resampled(trace, places * ((count - 1) / places[-1]), count)


def _stroke_ends(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ends of the strokes of (2, n) steps: minima of the smoothed speed below its mean, and both ends; ascending."""
    speed = np.convolve(np.hypot(*steps), [0.25, 0.5, 0.25], "same")
    inner = speed[1:-1]
    lowest = (inner < speed[:-2]) & (inner <= speed[2:]) & (inner < speed.mean())
    return np.unique(np.concatenate([[0], np.flatnonzero(lowest) + 1, [len(speed)]]))
