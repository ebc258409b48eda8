"""A pen trajectory at one fixed rate, ink only, in the writer's own units: what the modern encoder reads.

    s = √((var x + var y)/2) over the ink,   x' = (x − mean x)/s,   y' = (y − mean y)/s

Hover is dropped and the strokes are joined, since half of the tablets in use record none of it; how long the pen was
away stays as a channel. Each stroke is resampled by linear interpolation in time, so that tablets of 100 and 200 Hz,
of millimetres and of dots, give the same frames. Pressure counts by its variation within the signature alone, and is
zero all over where none was measured.

Channels, float32 (5, frames):

    0  x'
    1  y'
    2  (pressure − mean)/std over the ink; 0 where not measured or constant
    3  log(1 + gap/100 ms), gap the time away before the frame: positive at the first frame of every later stroke
    4  mask: 1 where there is ink, 0 behind the end

Behind the end x', y' and pressure keep their last value, so that derivatives fade out instead of jumping.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from encode.step import Step
from encode.strokes import Trajectory

CHANNELS = ("x", "y", "pressure", "gap", "mask")

Array = NDArray[np.float64]

_GAP_SCALE_MS = 100.0
_LONGEST_GAP_MS = 10_000.0
_SPARSE = 4.0
"""A stroke whose points lie further apart than this many frames is drawn with two frames a point: a device that stalls
within a stroke must not fill the signature with frames of a pen at rest."""


class PenFrames(Step):
    """Ink at `rate` frames a second; a signature of more than `frames` frames is thinned evenly to that many."""

    step: Literal["pen_frames"] = "pen_frames"
    rate: Annotated[float, Field(ge=10.0, le=400.0)] = 50.0
    frames: Annotated[int, Field(ge=32, le=4096, multiple_of=8)] = 512

    @property
    def shape(self) -> tuple[int, int]:
        """(C, T) of what comes out."""
        return len(CHANNELS), self.frames

    def apply(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """Trajectory → float32 (5, frames), finite."""
        ink = resample_ink(trajectory, self.rate)
        if ink.shape[1] > self.frames:
            ink = _thinned(ink, self.frames)
        ink[:2] = normalised_path(ink[:2])
        ink[2] = _standardised(ink[2])
        ink[3] = np.log1p(np.minimum(ink[3], _LONGEST_GAP_MS) / _GAP_SCALE_MS)
        return padded(ink, self.frames)


def padded(ink: Array, frames: int) -> NDArray[np.float32]:
    """The first four channels without padding (4, n), n <= frames → float32 (5, frames)."""
    out = np.zeros((len(CHANNELS), frames), np.float32)
    count = ink.shape[1]
    out[:4, :count] = ink
    out[:3, count:] = ink[:3, -1:]
    out[4, :count] = 1.0
    return out


def unpadded(frames: NDArray[np.float32]) -> Array:
    """What :func:`padded` was given, float64 (4, n), of its (5, frames)."""
    return frames[:4, frames[4] > 0.5].astype(np.float64)


def gap_ms(gaps: Array) -> Array:
    """The gap channel (n,) → milliseconds the pen was away ahead of each frame, 10 s where it was longer."""
    return np.expm1(gaps) * _GAP_SCALE_MS


def resample_ink(trajectory: Trajectory, rate: float) -> Array:
    """Ink of a trajectory as float64 (4, n): x, y, pressure (0 without), and the gap in ms ahead of each frame."""
    down = np.flatnonzero(trajectory.pen_down)
    strokes = np.split(down, np.flatnonzero(np.diff(down) > 1) + 1)
    period = 1000.0 / rate
    pieces = []
    left: float | None = None
    for stroke in strokes:
        t = trajectory.t[stroke]
        count = int((t[-1] - t[0]) / period + 1e-9) + 1
        if count > _SPARSE * len(stroke) + 8:
            times = np.linspace(t[0], t[-1], 2 * len(stroke))
        else:
            times = t[0] + period * np.arange(count)
        piece = np.zeros((4, len(times)))
        piece[0] = np.interp(times, t, trajectory.x[stroke])
        piece[1] = np.interp(times, t, trajectory.y[stroke])
        if trajectory.pressure is not None:
            piece[2] = np.interp(times, t, trajectory.pressure[stroke])
        if left is not None:
            piece[3, 0] = t[0] - left
        left = float(t[-1])
        pieces.append(piece)
    return np.concatenate(pieces, axis=1)


def _thinned(ink: Array, frames: int) -> Array:
    """(4, n) → (4, frames), evenly by index; each gap goes to the frame that follows it."""
    at = np.linspace(0.0, ink.shape[1] - 1.0, frames)
    thin = np.stack([*(np.interp(at, np.arange(ink.shape[1]), row) for row in ink[:3]), np.zeros(frames)])
    lifted = np.flatnonzero(ink[3])
    np.maximum.at(thin[3], np.searchsorted(at, lifted, side="left"), ink[3, lifted])
    return thin


def normalised_path(path: Array) -> Array:
    """x and y (2, n) → x' and y' (2, n)."""
    centred = path - path.mean(1, keepdims=True)
    size = np.sqrt((centred * centred).mean(1).mean())
    # Validation refuses a pen that never moved; strokes of single points may still fall together when resampled.
    normalised: Array = centred / size if size > 0.0 else centred
    return normalised


def _standardised(pressure: Array) -> Array:
    centred = pressure - pressure.mean()
    spread = float(centred.std())
    return centred / spread if spread > 1e-9 * (1.0 + float(np.abs(pressure).max())) else np.zeros_like(pressure)
