"""No sequence whatsoever gets anything but a SampleError out of reading strokes, or else finite features."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.bromley_features import FEATURES
from encode.errors import SampleError
from encode.pen_frames import PenFrames
from encode.sample import StrokesSample
from encode.stroke_steps import Bromley1993, StrokeStep
from encode.strokes import read_strokes

STEPS: tuple[StrokeStep, ...] = (Bromley1993(points=50, features=FEATURES), PenFrames(frames=32))
FIELDS = {"x", "y", "t_ms", "pressure", "pen_down"}


def accept_or_refuse(sample: StrokesSample) -> bool:
    """Whether the strokes were accepted; any error but a SampleError passes through and fails the test."""
    refused = None
    try:
        trajectory = read_strokes(sample)
    except SampleError as error:
        refused = error
    if refused is not None:
        assert refused.field in FIELDS
        return False
    assert trajectory.t[0] == 0.0
    assert (np.diff(trajectory.t) > 0.0).all()
    assert np.isfinite(trajectory.x).all()
    assert np.isfinite(trajectory.y).all()
    assert trajectory.pressure is None or (trajectory.pressure >= 0.0).all()
    assert trajectory.pen_down.any()
    for step in STEPS:
        found = step.apply(trajectory)
        assert found.shape == step.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
    return True


ODD = st.sampled_from([0.0, -0.0, 1e-320, -1e-300, 1e-12, 1e9, -1e9, 1e10, 1e308, float("inf"), float("nan")])
ANY = st.one_of(st.floats(), st.floats(-1e9, 1e9), st.integers(-5, 5), ODD)


@given(
    x=st.lists(ANY, max_size=40),
    y=st.lists(ANY, max_size=40),
    t=st.lists(ANY, max_size=40),
    pressure=st.lists(ANY, max_size=40),
    pen_down=st.lists(st.booleans(), max_size=40),
    even=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_sequences_are_read_or_refused_in_kind(
    x: list[Any], y: list[Any], t: list[Any], pressure: list[Any], pen_down: list[bool], even: bool
) -> None:
    if even:
        points = min(len(x), len(y), len(t))
        x, y, t, pressure, pen_down = (values[:points] for values in (x, y, t, pressure, pen_down))
        pressure, pen_down = ([] if len(values) < points else values for values in (pressure, pen_down))
    accept_or_refuse(StrokesSample(tuple(x), tuple(y), tuple(t), tuple(pressure), tuple(pen_down)))


@given(
    seed=st.integers(0, 2**32 - 1),
    points=st.integers(16, 80),
    log_scale=st.floats(-7.0, 9.0),
    offset=st.sampled_from([0.0, 1.0, 1e6, 1e9]),
    level=st.booleans(),
    pause=st.floats(0.0, 4e5),
    edits=st.lists(st.tuples(st.sampled_from(["x", "y", "t", "pressure"]), st.integers(0, 79), ANY), max_size=4),
    pressure=st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_damaged_signatures_are_read_or_refused_in_kind(
    seed: int,
    points: int,
    log_scale: float,
    offset: float,
    level: bool,
    pause: float,
    edits: list[tuple[str, int, Any]],
    pressure: bool,
) -> None:
    draw = np.random.default_rng(seed)
    t = np.cumsum(draw.integers(-3, 20, points)).astype(float)
    t[points // 2 :] += pause
    walk = np.cumsum(draw.normal(size=(2, points)), axis=1) * 10.0**log_scale + offset
    if level:
        walk[1] = offset
    fields: dict[str, list[Any]] = {"x": walk[0].tolist(), "y": walk[1].tolist(), "t": t.tolist()}
    fields["pressure"] = draw.uniform(0.0, 1.0, points).tolist() if pressure else []
    for name, place, value in edits:
        if fields[name]:
            fields[name][place % points] = value
    accept_or_refuse(StrokesSample(**{name: tuple(values) for name, values in fields.items()}))


def test_undamaged_signatures_are_read() -> None:
    """The fuzzing above starts from signatures that are accepted, at both ends of what coordinates may be."""
    draw = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e7):
        x, y = np.cumsum(draw.normal(size=(2, 50)), axis=1) * scale
        assert accept_or_refuse(StrokesSample(tuple(x), tuple(y), tuple(10.0 * np.arange(50))))


def test_motion_that_the_grid_steps_over_is_finite() -> None:
    """All of it within a hundredth of a second, in the middle of two minutes at rest in one place."""
    t = np.concatenate([np.arange(20.0), 60_000.0 + np.arange(40.0) / 4.0, 120_000.0 + np.arange(20.0)])
    x = np.zeros(80)
    x[20:60] = np.sin(np.arange(40.0))
    assert accept_or_refuse(StrokesSample(tuple(x), tuple(-x), tuple(t)))
