"""What a tablet records of a moving pen: equally spaced points in whole units, and nothing of the pen in the air.

A lifted stroke leaves the surface when a tenth of it is done and comes back when a tenth of it is left: its neighbours
still move then, as in real signatures. The first point of every stroke on the surface has `pen_down` false, as SVC2004
and SUSIG mark them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid
from encode.sample import StrokesSample
from eval.synthetic.signers_hand import Hand, tremble
from eval.synthetic.signers_motion import FloatArray, Strokes, position, velocity

RATES = (100, 200)
_BEGUN, _DONE = 0.1, 0.9
_FIRST, _LAST = 0.005, 0.995
_MARGIN = 200  # counts between the edge of the tablet and the signature


@dataclass(frozen=True)
class Tablet:
    """The device.

    Attributes
    ----------
    rate : points a second, 100 or 200.
    pressure : whether it measures pressure.
    counts_per_mm : of x and y, as 2,540 lines per inch make it.
    levels : of pressure.
    """

    rate: int = 100
    pressure: bool = True
    counts_per_mm: float = 100.0
    levels: int = 1024

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise FieldInvalid(f"must be one of {', '.join(map(str, RATES))}, not {self.rate}", field="rate")

    def record(self, strokes: Strokes, hand: Hand, generator: np.random.Generator) -> StrokesSample:
        """Sample the motion. t counts whole milliseconds from 0; x, y and pressure are whole numbers, pressure >= 1."""
        begin = strokes.time_at(_FIRST).min() + generator.uniform(0, 1 / self.rate)
        t = np.arange(begin, strokes.time_at(_LAST).max(), 1 / self.rate)
        where = position(strokes, t) + tremble(hand, t, generator)
        touching = ~_in_the_air(strokes, t)
        pressure = self._pressed(strokes, hand, t, touching, generator)
        landed = touching & ~np.concatenate([[False], touching[:-1]])
        counts = np.round(where * self.counts_per_mm)[touching]
        counts += _MARGIN - counts.min(axis=0)
        milliseconds = np.round((t - t[touching][0]) * 1000)[touching]
        return StrokesSample(
            x=tuple(counts[:, 0].tolist()),
            y=tuple(counts[:, 1].tolist()),
            t=tuple(milliseconds.tolist()),
            pressure=tuple(pressure[touching].tolist()) if self.pressure else (),
            pen_down=tuple((~landed[touching]).tolist()),
        )

    def _pressed(
        self,
        strokes: Strokes,
        hand: Hand,
        t: FloatArray,
        touching: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> FloatArray:
        """Pressure in whole levels, float64 (n,), at least 1 while touching."""
        move = velocity(strokes, t)
        speed = np.hypot(*move.T)
        slow = np.clip(1.0 - speed / np.quantile(speed, 0.7), -1.0, 1.0)
        downwards = np.clip(-move[:, 1] / np.quantile(speed, 0.7), -1.0, 1.0)
        knots = np.arange(t[0], t[-1] + 0.6, 0.3)
        wander = np.interp(t, knots, generator.normal(0.0, 0.06 * hand.looseness, len(knots)))
        wanted = hand.press * (1.0 + hand.press_slow * slow + hand.press_down * downwards + wander)
        since = _since_edge(touching) / self.rate
        wanted = wanted * (1.0 - 0.8 * np.exp(-since / hand.attack)) + generator.normal(0.0, 0.004, len(t))
        top = self.levels - 1
        pressure: FloatArray = np.clip(np.round(_smoothed(wanted, 0.01 * self.rate) * top), 1, top)
        return pressure


def _in_the_air(strokes: Strokes, t: FloatArray) -> NDArray[np.bool_]:
    leaves, lands = strokes.time_at(_BEGUN)[strokes.lifted], strokes.time_at(_DONE)[strokes.lifted]
    return np.asarray(((t[:, None] > leaves) & (t[:, None] < lands)).any(axis=1), dtype=np.bool_)


def _since_edge(touching: NDArray[np.bool_]) -> FloatArray:
    """Samples from the nearest touch or lift, at least 1 on the surface and 0 in the air: float64 (n,)."""
    index = np.arange(len(touching))
    air = np.concatenate([[-1], np.flatnonzero(~touching), [len(touching)]])
    after = np.searchsorted(air, index)
    nearest = np.minimum(index - air[after - 1], air[after] - index)
    return np.asarray(nearest, dtype=np.float64)


def _smoothed(values: FloatArray, width: float) -> FloatArray:
    """A pen's spring does not follow at once: a running mean over 2 · `width` + 1 samples."""
    half = max(1, round(width))
    padded = np.pad(values, half, mode="edge")
    mean: FloatArray = np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")
    return mean
