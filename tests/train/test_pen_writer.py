"""Invented writers: what they share is shared, mirroring and reversing undo themselves, and frames stay normalised."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from train.pen_writer import InventedWriter, PenVariation, finished, once_more

Array = NDArray[np.float64]
PenTrace = Callable[..., Array]

PLAIN = InventedWriter(
    mirrored=False,
    upside_down=False,
    reversed=False,
    turn=0.0,
    aspect=1.0,
    shear=0.0,
    speed=1.0,
    pressure=True,
    gaps=True,
    part=(0.0, 1.0),
)


class Middle(np.random.Generator):
    """Draws nothing but the middle: every normal is its mean, every share a half."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, loc=0.0, scale=1.0, size=None):  # type: ignore[no-untyped-def, override]
        return loc if size is None else np.full(size, loc)

    def random(self, *_, **__):  # type: ignore[no-untyped-def, override]
        return 0.5


def written(trace: Array, **changes: object) -> Array:
    """Without the chance between signatures of one writer."""
    return replace(PLAIN, **changes).written(trace, Middle())  # type: ignore[arg-type]


def test_a_plain_writer_changes_nothing(pen_trace: PenTrace) -> None:
    trace = pen_trace(100)
    np.testing.assert_allclose(written(trace), trace, atol=1e-12)
    np.testing.assert_array_equal(trace, pen_trace(100))


@pytest.mark.parametrize("name", ["mirrored", "upside_down", "reversed"])
@pytest.mark.parametrize("count", [40, 101])
def test_done_twice_is_undone(pen_trace: PenTrace, name: str, count: int) -> None:
    trace = pen_trace(count, lifts=3)
    once = written(trace, **{name: True})
    assert np.abs(once - trace).max() > 0.1
    np.testing.assert_allclose(written(once, **{name: True}), trace, atol=1e-12)


def test_backwards_a_gap_lies_between_the_same_frames(pen_trace: PenTrace) -> None:
    trace = pen_trace(50)
    back = written(trace, reversed=True)
    np.testing.assert_allclose(back[:3], trace[:3, ::-1])
    for frame in np.flatnonzero(trace[3]):
        # Between frame − 1 and frame: backwards the later of the two is 50 − frame.
        assert back[3, 50 - frame] == trace[3, frame]
    assert np.count_nonzero(back[3]) == np.count_nonzero(trace[3])


def test_the_map_is_shear_aspect_and_turn(pen_trace: PenTrace) -> None:
    trace = pen_trace(60)
    found = written(trace, mirrored=True, turn=0.4, aspect=1.3, shear=0.2)
    linear = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]]) @ [[-1.3, 0.2], [0.0, 1.0]]
    np.testing.assert_allclose(found[:2], linear @ trace[:2], atol=1e-12)
    np.testing.assert_array_equal(found[2:], trace[2:])


def test_part_of_a_signature_begins_without_a_gap(pen_trace: PenTrace) -> None:
    trace = pen_trace(100, lifts=3)
    found = written(trace, part=(0.25, 0.75))
    np.testing.assert_allclose(found[:3], trace[:3, 25:75], atol=1e-12)
    assert trace[3, 25] > 0.0
    assert found[3, 0] == 0.0
    np.testing.assert_array_equal(found[3, 1:], trace[3, 26:75])
    short = pen_trace(60)
    np.testing.assert_allclose(written(short, part=(0.25, 0.75)), short, atol=1e-12)


def test_the_tablet_of_the_writer_counts(pen_trace: PenTrace) -> None:
    trace = pen_trace(100)
    assert not written(trace, gaps=False)[3].any()
    assert written(trace, speed=1.5).shape == (4, 150)
    assert written(trace, speed=0.01).shape == (4, 16)
    assert written(trace, speed=50.0).shape == (4, 512)
    for pressure in (True, False):
        done = finished(trace, replace(PLAIN, pressure=pressure), PenVariation(), np.random.default_rng(0))
        assert done[2].any() == pressure


def test_signatures_of_a_writer_share_his_change(pen_trace: PenTrace) -> None:
    """Two of them differ by a little turn and width alone, of whatever writer."""
    trace, generator = pen_trace(100), np.random.default_rng(4)
    for _ in range(10):
        writer = InventedWriter.drawn(PenVariation(), generator)
        first, second = (writer.written(trace, generator) for _ in range(2))
        assert first.shape == second.shape
        fitted, *_ = np.linalg.lstsq(first[:2].T, second[:2].T, rcond=None)
        np.testing.assert_allclose(first[:2].T @ fitted, second[:2].T, atol=1e-9)
        assert np.abs(fitted - np.eye(2)).max() < 0.5
        np.testing.assert_array_equal(first[2:], second[2:])


def test_writers_lose_pressure_and_gaps_by_their_shares() -> None:
    generator = np.random.default_rng(0)
    config = PenVariation(without_pressure=0.3, without_gaps=0.8)
    drawn = [InventedWriter.drawn(config, generator) for _ in range(600)]
    assert np.mean([not one.pressure for one in drawn]) == pytest.approx(0.3, abs=0.06)
    assert np.mean([not one.gaps for one in drawn]) == pytest.approx(0.8, abs=0.06)
    parts = [one.part for one in drawn if one.part != (0.0, 1.0)]
    assert len(parts) / 600 == pytest.approx(0.25, abs=0.06)
    assert all(0.0 <= start <= end - 0.55 <= 0.45 and end - start <= 0.9 for start, end in parts)
    assert {type(one.mirrored) for one in drawn} == {bool}


def test_the_generator_decides(pen_trace: PenTrace) -> None:
    def made(seed: int) -> Array:
        generator, config = np.random.default_rng(seed), PenVariation()
        writer = InventedWriter.drawn(config, generator)
        trace = once_more(writer.written(pen_trace(100), generator), config, generator)
        return finished(trace, writer, config, generator)

    np.testing.assert_array_equal(made(1), made(1))
    assert made(1).shape != made(2).shape or not np.array_equal(made(1), made(2))


def test_half_of_all_signatures_are_distorted(pen_trace: PenTrace) -> None:
    generator, config, trace = np.random.default_rng(0), PenVariation(pace=0.0), pen_trace(80)
    same = [
        once_more(trace, config, generator).shape == trace.shape
        and np.allclose(once_more(trace, replace(config, own_hand=0.0), generator), trace)
        for _ in range(5)
    ]
    assert any(same)
    changed = [not np.array_equal(once_more(trace, config, generator)[0, :5], trace[0, :5]) for _ in range(200)]
    assert np.mean(changed) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("count", [16, 100, 512])
def test_what_is_finished_is_normalised_and_not_too_long(pen_trace: PenTrace, count: int) -> None:
    config = PenVariation(longest=200)
    for seed in range(8):
        trace = 3.0 * pen_trace(count) + np.array([[5.0], [-2.0], [1.0], [0.0]])
        done = finished(trace, PLAIN, config, np.random.default_rng(seed))
        assert min(count, 200) - 6 <= done.shape[1] <= min(count, 200)
        np.testing.assert_allclose(done[:3].mean(1), 0.0, atol=1e-9)
        assert (done[:2] ** 2).mean() == pytest.approx(1.0, abs=1e-4)
        assert done[2].std() == pytest.approx(1.0)
        assert set(done[3]) <= set(trace[3])
