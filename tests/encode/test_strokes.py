"""Strokes → trajectory: what is kept, what is cut off, and what is refused by the name of its field."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from encode.errors import (
    PenNeverDown,
    SampleEmpty,
    SampleError,
    StrokesInvalid,
    StrokesMotionless,
    StrokesTimeReversed,
    StrokesTooLong,
    StrokesTooShort,
    StrokesUneven,
)
from encode.sample import StrokesSample
from encode.strokes import StrokeLimits, read_strokes

Written = Callable[..., StrokesSample]
N = 120


def test_a_good_signature_is_kept_as_it_is(written: Written) -> None:
    sample = written(pressure=np.linspace(0.1, 0.9, N))
    found = read_strokes(sample)
    assert len(found) == N
    for name in ("x", "y", "t", "pressure"):
        values = getattr(found, name)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, getattr(sample, name))
    assert found.pen_down.dtype == np.bool_
    assert tuple(found.pen_down.tolist()) == sample.pen_down
    assert repr(found) == "Trajectory(points=120)"


def test_time_starts_at_zero_and_increases(written: Written) -> None:
    stamps = 1e6 + 10.0 * np.arange(N)
    stamps[40] = stamps[39]
    stamps[80] = stamps[78]
    t = read_strokes(written(t=stamps)).t
    assert t[0] == 0.0
    assert (np.diff(t) > 0.0).all()
    assert t[-1] == stamps[-1] - stamps[0]


def test_without_pen_down_the_pressure_tells(written: Written) -> None:
    pressure = np.where(np.arange(N) % 40 < 5, 0.0, 300.0)
    pressure[0] = 1.0
    found = read_strokes(written(pen_down=(), pressure=pressure))
    np.testing.assert_array_equal(found.pen_down, pressure > 0.0)


def test_pen_down_goes_before_pressure(written: Written) -> None:
    sample = written(pressure=np.zeros(N))
    assert tuple(read_strokes(sample).pen_down.tolist()) == sample.pen_down


def test_without_either_the_pen_touches_everywhere(written: Written) -> None:
    found = read_strokes(written(pen_down=()))
    assert found.pressure is None
    assert found.pen_down.all()


def test_hover_at_the_ends_is_cut_off(written: Written) -> None:
    down = np.zeros(N, bool)
    down[30:50] = down[70:90] = True
    sample = written(pen_down=down, pressure=np.arange(N))
    found = read_strokes(sample)
    np.testing.assert_array_equal(found.x, sample.x[29:90])
    np.testing.assert_array_equal(found.t, np.array(sample.t[29:90]) - sample.t[29])
    np.testing.assert_array_equal(found.pressure, np.arange(29, 90))
    assert not found.pen_down[0]
    assert found.pen_down[[1, -1]].all()
    assert found.pen_down.sum() == 40


def test_what_the_clock_did_while_the_pen_hovered_ahead_does_not_matter(written: Written) -> None:
    down = np.arange(N) >= 30
    stamps = 10.0 * np.arange(N)
    stamps[:20] += 1e9
    assert len(read_strokes(written(t=stamps, pen_down=down))) == N - 29


def with_value(field: str, value: Any, place: int = 60) -> Callable[[StrokesSample], StrokesSample]:
    def change(sample: StrokesSample) -> StrokesSample:
        values = list(getattr(sample, field) or np.ones(N))
        values[place] = value
        return replace(sample, **{field: tuple(values)})

    return change


def with_all(**fields: Any) -> Callable[[StrokesSample], StrokesSample]:
    return lambda sample: replace(sample, **{name: tuple(np.asarray(all).tolist()) for name, all in fields.items()})


class Untouchable(tuple[float, ...]):
    """A sequence whose length may be asked and nothing else."""

    def __new__(cls, length: int) -> "Untouchable":
        self = super().__new__(cls)
        self.length = length
        return self

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Any:
        raise AssertionError("the points were read")

    def __getitem__(self, place: Any) -> Any:
        raise AssertionError("a point was read")


Change = Callable[[StrokesSample], StrokesSample]
MILLION = Untouchable(1_000_000)
ON_A_SPOT = np.where(np.arange(N) < N - 10, 5.0, np.arange(N))

BAD: dict[str, tuple[Change, type[SampleError], str, str]] = {
    "no points": (with_all(x=(), y=(), t=(), pen_down=()), SampleEmpty, "x", "no points"),
    "one point": (with_all(x=(1,), y=(1,), t=(0,), pen_down=(True,)), StrokesTooShort, "x", "through 1 points"),
    "15 points": (
        lambda sample: StrokesSample(sample.x[:15], sample.y[:15], sample.t[:15]),
        StrokesTooShort,
        "x",
        "at least 16",
    ),
    "a million points": (
        lambda _: StrokesSample(MILLION, MILLION, MILLION),
        StrokesTooLong,
        "x",
        "1,000,000 points, the limit is 20,000",
    ),
    "a million times": (lambda sample: replace(sample, t=MILLION), StrokesTooLong, "t_ms", "1,000,000"),
    "a million pressures": (lambda sample: replace(sample, pressure=MILLION), StrokesTooLong, "pressure", "limit"),
    "a million pen states": (lambda sample: replace(sample, pen_down=MILLION), StrokesTooLong, "pen_down", "limit"),
    "y too short": (lambda sample: replace(sample, y=sample.y[:-1]), StrokesUneven, "y", "119 values, where x has 120"),
    "no y": (lambda sample: replace(sample, y=()), StrokesUneven, "y", "0 values"),
    "no t": (lambda sample: replace(sample, t=()), StrokesUneven, "t_ms", "0 values"),
    "t too long": (lambda sample: replace(sample, t=(*sample.t, 1e4)), StrokesUneven, "t_ms", "121 values"),
    "one pressure": (with_all(pressure=(1.0,)), StrokesUneven, "pressure", "1 values"),
    "one pen state": (with_all(pen_down=(True,)), StrokesUneven, "pen_down", "1 values"),
    "NaN in x": (with_value("x", float("nan")), StrokesInvalid, "x", "point 60 is not a finite"),
    "infinity in y": (with_value("y", float("-inf")), StrokesInvalid, "y", "not a finite"),
    "NaN in t": (with_value("t", float("nan")), StrokesInvalid, "t_ms", "not a finite"),
    "NaN in pressure": (with_value("pressure", float("nan")), StrokesInvalid, "pressure", "not a finite"),
    "a huge coordinate": (with_value("x", -1.1e9), StrokesInvalid, "x", r"point 60 is beyond ±1e\+09"),
    "a huge time": (with_value("t", 1e15), StrokesInvalid, "t_ms", "beyond"),
    "a huge whole number": (with_value("x", 10**400), StrokesInvalid, "x", "not all numbers"),
    "text": (with_value("y", "high"), StrokesInvalid, "y", "not all numbers"),
    "nothing": (with_value("pressure", None), StrokesInvalid, "pressure", "finite|numbers"),
    "nested": (with_all(x=np.zeros((N, 1))), StrokesInvalid, "x", "flat list"),
    "negative pressure": (with_value("pressure", -0.01), StrokesInvalid, "pressure", "point 60 is negative"),
    "pen never down": (with_all(pen_down=np.zeros(N, bool)), PenNeverDown, "pen_down", "never touches"),
    "no pressure ever": (with_all(pen_down=(), pressure=np.zeros(N)), PenNeverDown, "pressure", "never touches"),
    "all points equal": (with_all(x=np.ones(N), y=np.ones(N)), StrokesMotionless, "x", "one place"),
    "all equal but for rounding": (
        with_all(x=1e6 + 1e-3 * np.arange(N), y=np.ones(N)),
        StrokesMotionless,
        "x",
        "one place",
    ),
    "moving only above the surface": (
        with_all(x=ON_A_SPOT, y=np.ones(N), pen_down=np.arange(N) < N - 10),
        StrokesMotionless,
        "x",
        "one place",
    ),
    "few distinct points": (with_all(x=ON_A_SPOT, y=np.ones(N)), StrokesTooShort, "x", "through 11 points"),
    "few touching points": (with_all(pen_down=np.arange(N) % 10 == 0), StrokesTooShort, "x", "through 12 points"),
    "backwards": (with_all(t=-10.0 * np.arange(N)), StrokesTimeReversed, "t_ms", "runs backwards"),
    "one step far back": (with_value("t", 500.0), StrokesTimeReversed, "t_ms", "by 90 ms at point 60"),
    "no time passes": (with_all(t=np.zeros(N)), StrokesTooShort, "t_ms", "1 different times"),
    "in seconds": (with_all(t=0.01 * np.arange(N)), StrokesTooShort, "t_ms", "lasts 1.19 ms"),
    "in microseconds": (with_all(t=1e4 * np.arange(N)), StrokesTooLong, "t_ms", r"lasts 1.19e\+06 ms"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_trajectory_is_refused_by_its_field(written: Written, name: str) -> None:
    change, kind, field, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        read_strokes(change(written()))
    assert type(caught.value) is kind
    assert caught.value.field == field
    assert caught.value.fix


def test_limits_are_the_callers(written: Written) -> None:
    assert len(read_strokes(written(), StrokeLimits(max_points=N))) == N
    with pytest.raises(StrokesTooLong):
        read_strokes(written(), StrokeLimits(max_points=N - 1))
    with pytest.raises(StrokesTooLong):
        read_strokes(written(), StrokeLimits(max_duration=1189.0))
    assert read_strokes(written(), StrokeLimits(max_duration=1190.0)).t[-1] == 1190.0


def test_the_shortest_and_the_longest_signature_are_read(written: Written) -> None:
    assert len(read_strokes(written(points=18))) == 18
    assert len(read_strokes(written(points=20_000))) == 20_000


def test_the_unit_and_the_place_on_the_tablet_do_not_matter_to_validity(written: Written) -> None:
    sample = written()
    for scale, offset in ((1e-5, 0.0), (1e4, 0.0), (1.0, 3e7)):
        x, y = (np.array(values) * scale + offset for values in (sample.x, sample.y))
        assert len(read_strokes(with_all(x=x, y=y)(sample))) == N
