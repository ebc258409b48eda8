"""Pen traces prepared for frame matching: one row of features a recorded point.

A trace holds x, y, pressure and a mask at a fixed rate, padded to T points. With x and y smoothed by [1 2 1]/4, dx and
dy their five-point regression slopes, v = √(dx² + dy²) and z(·) the deviation from the signature's own mean in its own
standard deviations, the feature sets are

    motion     z(dx), z(dy), z(v), z(dx / v), z(dy / v)
    shape      z(x), z(y), z(dx), z(dy)
    velocity   dx / s, dy / s        s = √(var x + var y), the size of the signature
    acceleration   z(dv), z((dx·ddy − dy·ddx) / v)       along the path and across it, slopes of slopes

each but the last followed by z(pressure), which enters a comparison only where both sides measured it. None depends on
the unit, the place or the size of the writing; only `velocity` keeps the proportion of its two directions.

Where a bundle's encoder puts out frames of its own, one for every two points, they are a further set, `learned`, taken
as they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid
from enroll.dtw import dtw_distances

Array = NDArray[np.float64]

_PAIRS_AT_ONCE = 128
"""Pairs copied side by side for one call of the warping; cannot change a result."""


@dataclass(frozen=True)
class Motion:
    """Smoothed position and its slopes, each float64 (n,), in the trace's unit and unit a point."""

    x: Array
    y: Array
    dx: Array
    dy: Array


def _motion(pen: Motion) -> Array:
    v = np.hypot(pen.dx, pen.dy)
    moving = np.where(v > 0.0, v, 1.0)
    return _standard(np.stack([pen.dx, pen.dy, v, pen.dx / moving, pen.dy / moving], 1))


def _shape(pen: Motion) -> Array:
    return _standard(np.stack([pen.x, pen.y, pen.dx, pen.dy], 1))


def _velocity(pen: Motion) -> Array:
    size = float(np.sqrt(pen.x.var() + pen.y.var()))
    return np.stack([pen.dx, pen.dy], 1) / (size if size > 0.0 else 1.0)


def _acceleration(pen: Motion) -> Array:
    v = np.hypot(pen.dx, pen.dy)
    # A floor far below any stroke's speed: across the path, acceleration at a standstill is the noise of a direction.
    size = _size(pen.x, pen.y)
    moving = v + 1e-3 * (size if size > 0.0 else 1.0)
    across = (pen.dx * _slope(pen.dy) - pen.dy * _slope(pen.dx)) / moving
    return _standard(np.stack([_slope(moving), across], 1))


SETS: Mapping[str, Callable[[Motion], Array]] = {
    "motion": _motion,
    "shape": _shape,
    "velocity": _velocity,
    "acceleration": _acceleration,
}
"""Name of a feature set → its features without pressure, float64 (n, F)."""

LEARNED = "learned"
"""Name of the set of the encoder's own frames."""

_LEAST = 1e-3
"""Least length, in sizes of the signature, whose logarithm is taken."""

_NEVER_PRESSURE = frozenset({"acceleration"})


@dataclass(frozen=True)
class LearnedFrames:
    """The encoder's own frames of N signatures.

    Attributes
    ----------
    features : float64 (N, n, C), zero behind a signature's end.
    lengths : int64 (N,), frames of each signature.
    """

    features: Array
    lengths: NDArray[np.int64]

    def rows(self, chosen: NDArray[np.int64]) -> "LearnedFrames":
        """The frames of these indices alone."""
        return LearnedFrames(self.features[chosen], self.lengths[chosen])


@dataclass(frozen=True)
class Frames:
    """N traces and their features.

    Attributes
    ----------
    sets : names of the S feature sets; `learned`, if it is one of them, is the last.
    features : float64 (N, S, n, F) of the sets but `learned`, zero beyond a set's channels and a signature's points;
        the last channel is z(pressure).
    lengths : int64 (N,), points of each signature.
    measured : bool (N,), whether the device measured pressure.
    traces : channel → float64 (N, T), as the rows gave them.
    learned : the encoder's own frames, or None.
    """

    sets: tuple[str, ...]
    features: Array
    lengths: NDArray[np.int64]
    measured: NDArray[np.bool_]
    traces: Mapping[str, Array]
    learned: "LearnedFrames | None" = None

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def paths(self) -> Array:
        """Log of the way the pen goes, in sizes s of the signature: float64 (N,)."""
        return np.array([_path(x[ink], y[ink]) for x, y, ink in self._ink()])

    @cached_property
    def aspects(self) -> Array:
        """Log of width over height: float64 (N,)."""
        return np.array([_aspect(x[ink], y[ink]) for x, y, ink in self._ink()])

    def _ink(self) -> Iterator[tuple[Array, Array, NDArray[np.bool_]]]:
        return zip(self.traces["x"], self.traces["y"], self.traces["mask"] > 0.5, strict=True)

    def rows(self, chosen: NDArray[np.int64]) -> "Frames":
        """The traces of these indices alone."""
        return Frames(
            self.sets,
            self.features[chosen],
            self.lengths[chosen],
            self.measured[chosen],
            {name: trace[chosen] for name, trace in self.traces.items()},
            None if self.learned is None else self.learned.rows(chosen),
        )


def _size(x: Array, y: Array) -> float:
    """√((var x + var y)/2), as in `encode.pen_frames`."""
    return float(np.sqrt((x.var() + y.var()) / 2.0))


def _path(x: Array, y: Array) -> float:
    size = _size(x, y)
    way = float(np.hypot(np.diff(x), np.diff(y)).sum())
    return float(np.log(max(way / size if size > 0.0 else 0.0, _LEAST)))


def _aspect(x: Array, y: Array) -> float:
    size = _size(x, y)
    width, height = (float(np.ptp(side)) / size if size > 0.0 else 0.0 for side in (x, y))
    return float(np.log(max(width, _LEAST) / max(height, _LEAST)))


def prepare_frames(
    rows: Array, channels: Sequence[str], sets: Sequence[str], *, field: str, learned: int | None = None
) -> Frames:
    """Rows of flattened traces, float64 (N, C·T) with C = len(channels), → their frames.

    Points where the mask is above ½ count, in order. A pressure that never changes counts as not measured. With
    `learned`, so many channels of T/2 frames of the encoder's own follow the trace, (N, C·T + learned·T/2); a frame
    counts where one of its two points does. They are a set of the frames if `sets` names it.

    Raises
    ------
    FieldInvalid : the rows do not divide into the channels, a value is not finite, or a trace has no point; `field`
        names the input at fault.
    """
    # A learned channel has one value for two points.
    twice = 2 * len(channels) + (learned or 0)
    whole = twice if learned is None else 2 * twice
    if rows.ndim != 2 or rows.shape[1] == 0 or 2 * rows.shape[1] % whole:
        raise FieldInvalid(f"rows of {len(channels)} channels expected, got shape {rows.shape}", field=field)
    if not np.isfinite(rows).all():
        raise FieldInvalid("a trace holds values that are not finite", field=field)
    points = 2 * rows.shape[1] // twice
    end = len(channels) * points
    split = rows[:, :end].reshape(len(rows), len(channels), points)
    traces = {name: split[:, index] for index, name in enumerate(channels)}
    present = traces["mask"] > 0.5
    lengths = present.sum(1)
    if not lengths.all():
        raise FieldInvalid("a trace has no point", field=field)
    plain = tuple(name for name in sets if name != LEARNED)
    prepared = [_features(traces, row, mask, plain) for row, mask in enumerate(present)]
    width = 1 + max((part.shape[1] for parts, _ in prepared for part in parts), default=0)
    features = np.zeros((len(rows), len(plain), int(lengths.max(initial=1)), width))
    measured = np.zeros(len(rows), np.bool_)
    for row, (parts, pressure) in enumerate(prepared):
        measured[row] = pressure.any()
        features[row, :, : lengths[row], -1] = pressure
        for index, (name, part) in enumerate(zip(plain, parts, strict=True)):
            features[row, index, : len(part), : part.shape[1]] = part
            if name in _NEVER_PRESSURE:
                features[row, index, :, -1] = 0.0
    if learned is None or LEARNED not in sets:
        return Frames(plain, features, lengths, measured, traces)
    own = _learned_frames(rows[:, end:].reshape(len(rows), learned, points // 2), present)
    return Frames((*plain, LEARNED), features, lengths, measured, traces, own)


def _learned_frames(frames: Array, present: NDArray[np.bool_]) -> LearnedFrames:
    """Frames (N, C, T/2) whose points are (N, T), those present moved to the front."""
    counted = present[:, ::2] | present[:, 1::2]
    lengths = counted.sum(1)
    features = np.zeros((len(frames), int(lengths.max(initial=1)), frames.shape[1]))
    for row, (found, here) in enumerate(zip(frames, counted, strict=True)):
        features[row, : lengths[row]] = found[:, here].T
    return LearnedFrames(features, lengths)


def frame_distances(
    a: Frames, b: Frames, pairs: tuple[NDArray[np.int64], NDArray[np.int64]], *, pressure: bool
) -> Array:
    """Warping distances of the pairs (a[i], b[j]), i and j int64 (P,), in every feature set: float64 (P, S).

    With `pressure` its channel counts; leave it out unless both sides of every pair measured it.
    """
    chosen = slice(None) if pressure else slice(None, -1)
    sets = a.features.shape[1]
    distances = np.empty((len(pairs[0]), len(a.sets)))
    group = max(1, _PAIRS_AT_ONCE // max(1, sets))
    for start in range(0, len(distances), group):
        i, j = (side[start : start + group] for side in pairs)
        if sets:
            left, right = (_flat(one.features[rows][..., chosen]) for one, rows in ((a, i), (b, j)))
            found = dtw_distances(left, right, np.repeat(a.lengths[i], sets), np.repeat(b.lengths[j], sets))
            distances[start : start + group, :sets] = found.reshape(-1, sets)
        if a.learned is not None and b.learned is not None:
            one, other = a.learned.rows(i), b.learned.rows(j)
            distances[start : start + group, sets] = dtw_distances(
                one.features, other.features, one.lengths, other.lengths
            )
    return distances


def _flat(features: Array) -> Array:
    return features.reshape(-1, *features.shape[2:])


def _features(
    traces: Mapping[str, Array], row: int, mask: NDArray[np.bool_], sets: Sequence[str]
) -> tuple[list[Array], Array]:
    """The sets of one trace, each (n, F), and its z(pressure), (n,), zeros if not measured."""
    x, y = _smooth(traces["x"][row, mask]), _smooth(traces["y"][row, mask])
    pen = Motion(x, y, _slope(x), _slope(y))
    return [SETS[name](pen) for name in sets], _standard(traces["pressure"][row, mask][:, np.newaxis])[:, 0]


def _smooth(values: Array) -> Array:
    """[1 2 1]/4 over (n,), the ends repeated."""
    padded = np.pad(values, 1, mode="edge")
    smoothed: Array = (padded[:-2] + 2.0 * padded[1:-1] + padded[2:]) / 4.0
    return smoothed


def _slope(values: Array) -> Array:
    """Slope of the least-squares line through five points, Σ k·x_{t+k} / 10 for k = −2 … 2, the ends repeated."""
    padded = np.pad(values, 2, mode="edge")
    slope: Array = (2.0 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10.0
    return slope


def _standard(columns: Array) -> Array:
    """(n, F) with mean 0 and deviation 1 a column; a column that never changes, up to rounding, becomes 0."""
    centred = columns - columns.mean(0)
    deviation = centred.std(0)
    changing = deviation > 1e-9 * np.abs(columns).max(0, initial=0.0)
    standard: Array = np.where(changing, centred / np.where(changing, deviation, 1.0), 0.0)
    return standard
