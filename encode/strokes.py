"""Pen strokes as a device sent them → a trajectory that features can be computed of, within caps set before any work.

Validation comes in the order of its cost: numbers of points, then values, then time and motion. Only the clock is
repaired, by :mod:`encode.pen_clock`; a coordinate or a pressure never is, because a made-up value would be measured as
if the person had written it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from encode.errors import (
    PenNeverDown,
    SampleEmpty,
    StrokesInvalid,
    StrokesMotionless,
    StrokesTooLong,
    StrokesTooShort,
    StrokesUneven,
)
from encode.pen_clock import ClockLimits, repair_clock
from encode.sample import StrokesSample


@dataclass(frozen=True, slots=True)
class StrokeLimits:
    """What counts as a signature.

    The bounds leave room on both sides of what people write. Of 9,817 signatures in SVC2004 Task 1, SUSIG and SigComp
    2009, genuine and forged, the shortest have 64 points, all of them distinct, and last 0.49 s; the longest have
    17,358 points, hover included, and last 95 s.

    Attributes
    ----------
    max_points : points of one sample.
    min_points : touching points that differ from the touching point before them. Half of the shortest signature above,
        recorded at half the rate (50 Hz).
    max_magnitude : of a coordinate or pressure, in the device's unit; its square and cube stay far inside float64.
    min_extent : the longer side of the box around all touching points, absolute and relative to the largest coordinate.
        Anything smaller is the rounding of one place.
    min_duration, max_duration : from the first to the last point that is kept, in ms.
    clock : what is repaired of time.
    """

    max_points: int = 20_000
    min_points: int = 16
    max_magnitude: float = 1e9
    min_extent: float = 1e-6
    min_duration: float = 50.0
    max_duration: float = 300_000.0
    clock: ClockLimits = field(default_factory=ClockLimits)


DEFAULT_STROKE_LIMITS = StrokeLimits()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A pen trajectory fit to be measured.

    Attributes
    ----------
    x, y : float64 (n,), finite, in the device's unit; x to the right, y up.
    t : float64 (n,), milliseconds, strictly increasing from 0.
    pressure : float64 (n,), finite and >= 0, in the device's unit; None where the device measures none.
    pen_down : bool (n,), True at points where the pen touches and the segment leading to the point is ink.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    t: NDArray[np.float64]
    pressure: NDArray[np.float64] | None
    pen_down: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        """Without the points, so that a trajectory can never reach a log through a format string."""
        return f"Trajectory(points={len(self)})"


def read_strokes(sample: StrokesSample, limits: StrokeLimits = DEFAULT_STROKE_LIMITS) -> Trajectory:
    """Validate a sample's points and repair its clock.

    Where `pen_down` is empty, the pen touches where pressure is positive; with neither, it touches everywhere. Hover
    ahead of the first and behind the last touching point is cut off, but for the one point before the first: on devices
    that record touching points alone, a stroke begins with a point that is not marked as down.

    Returns
    -------
    A trajectory of at least ``limits.min_points`` points, time starting at 0.

    Raises
    ------
    SampleEmpty, StrokesTooLong, StrokesUneven, StrokesInvalid, StrokesTooShort, StrokesTimeReversed, StrokesMotionless,
    PenNeverDown, each with the field at fault: ``x``, ``y``, ``t_ms``, ``pressure`` or ``pen_down``.
    """
    _check_counts(sample, limits)
    bound = limits.max_magnitude
    x, y = _numbers(sample.x, "x", bound), _numbers(sample.y, "y", bound)
    pressure = _numbers(sample.pressure, "pressure", bound) if len(sample.pressure) else None
    if pressure is not None and pressure.min() < 0.0:
        raise StrokesInvalid(
            f"the pressure at point {int(np.argmax(pressure < 0.0))} is negative",
            field="pressure",
            fix="send pressures of 0 and above, 0 where the pen hovers",
        )
    pen_down = _pen_down(sample, pressure)
    stamps = _numbers(sample.t, "t_ms", limits.clock.max_magnitude)
    kept = _written(pen_down)
    x, y, pen_down = x[kept], y[kept], pen_down[kept]
    t = repair_clock(stamps[kept], limits.clock)
    _check_duration(t, limits)
    _check_motion(x[pen_down], y[pen_down], limits)
    return Trajectory(x, y, t, None if pressure is None else pressure[kept], pen_down)


def _check_counts(sample: StrokesSample, limits: StrokeLimits) -> None:
    """By `len` alone: a million points are refused before anything looks at one."""
    counts = {
        "x": len(sample.x),
        "y": len(sample.y),
        "t_ms": len(sample.t),
        "pressure": len(sample.pressure),
        "pen_down": len(sample.pen_down),
    }
    for name, count in counts.items():
        if count > limits.max_points:
            raise StrokesTooLong(
                f"{count:,} points, the limit is {limits.max_points:,}",
                field=name,
                fix="send one signature, at the device's own rate",
            )
    points = counts["x"]
    if points == 0:
        raise SampleEmpty("the trajectory has no points", field="x", fix="send x, y and t_ms of every recorded point")
    for name, count in counts.items():
        if count != points and (count or name in ("y", "t_ms")):
            raise StrokesUneven(
                f"{count:,} values, where x has {points:,}",
                field=name,
                fix="send as many values as x has; only pressure and pen_down may be left out",
            )
    if points < limits.min_points:
        raise _too_few(points, limits)


def _too_few(points: int, limits: StrokeLimits) -> StrokesTooShort:
    return StrokesTooShort(
        f"the touching pen moves through {points} points, a signature needs at least {limits.min_points}",
        field="x",
        fix="record the whole signature, 50 points a second or more",
    )


def _numbers(values: Sequence[float], name: str, bound: float) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise StrokesInvalid("the values are not all numbers", field=name, fix="send real numbers") from error
    if array.ndim != 1:
        raise StrokesInvalid("the values are not one flat list", field=name, fix="send one number a point")
    usable = np.abs(array) <= bound  # False for NaN
    if not usable.all():
        place = int(np.argmin(usable))
        what = f"is beyond ±{bound:g}" if np.isfinite(array[place]) else "is not a finite number"
        raise StrokesInvalid(f"the value at point {place} {what}", field=name, fix="send what the device measured")
    return array


def _pen_down(sample: StrokesSample, pressure: NDArray[np.float64] | None) -> NDArray[np.bool_]:
    if len(sample.pen_down):
        down: NDArray[np.bool_] = _numbers(sample.pen_down, "pen_down", 1.0) != 0.0
        source = "pen_down"
    elif pressure is not None:
        down, source = pressure > 0.0, "pressure"
    else:
        return np.ones(len(sample.x), np.bool_)
    if not down.any():
        raise PenNeverDown(
            "the pen never touches the surface",
            field=source,
            fix="send pressure or pen_down as measured, or leave out what the device does not measure",
        )
    return down


def _written(pen_down: NDArray[np.bool_]) -> slice:
    touching = np.flatnonzero(pen_down)
    return slice(max(0, int(touching[0]) - 1), int(touching[-1]) + 1)


def _check_duration(t: NDArray[np.float64], limits: StrokeLimits) -> None:
    duration = float(t[-1])
    if duration < limits.min_duration:
        raise StrokesTooShort(
            f"the signature lasts {duration:.4g} ms, at least {limits.min_duration:g} are needed",
            field="t_ms",
            fix="send time in milliseconds",
        )
    if duration > limits.max_duration:
        raise StrokesTooLong(
            f"the signature lasts {duration:.4g} ms, the limit is {limits.max_duration:g}",
            field="t_ms",
            fix="send time in milliseconds, of one signature",
        )


def _check_motion(x: NDArray[np.float64], y: NDArray[np.float64], limits: StrokeLimits) -> None:
    """x, y : the touching points."""
    extent = max(np.ptp(x), np.ptp(y))
    if extent < limits.min_extent * max(1.0, np.abs(x).max(), np.abs(y).max()):
        raise StrokesMotionless(
            "the touching pen stays in one place", field="x", fix="send the coordinates of a written signature"
        )
    distinct = 1 + int(np.count_nonzero((np.diff(x) != 0.0) | (np.diff(y) != 0.0)))
    if distinct < limits.min_points:
        raise _too_few(distinct, limits)
