"""Time stamps as devices write them become strictly increasing; what no device writes is refused."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encode.errors import SampleError, StrokesTimeReversed, StrokesTooShort
from encode.pen_clock import ClockLimits, repair_clock

LIMITS = ClockLimits()
FEW = ClockLimits(min_stamps=2)
WRAP = 2.0**32 / 1000.0
REGULAR = 10.0 * np.arange(20)


def repair(*stamps: float) -> list[float]:
    return [float(value) for value in repair_clock(np.array(stamps, np.float64), FEW)]


def test_a_good_clock_only_starts_at_zero() -> None:
    stamps = np.cumsum(np.random.default_rng(0).integers(1, 30, 500)).astype(float)
    np.testing.assert_array_equal(repair_clock(stamps + 1.7e12, LIMITS), stamps - stamps[0])
    np.testing.assert_allclose(repair_clock(stamps / 7.0, LIMITS), (stamps - stamps[0]) / 7.0, atol=1.01e-3)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ((0, 10, 10, 20, 30), (0, 10, 15, 20, 30)),
        ((0, 10, 20, 20, 20), (0, 10, 20, 30, 40)),  # nothing follows: a median step apart
        ((5, 5, 15, 25), (0, 5, 10, 20)),
        ((0, 10, 20, 20, 900, 910), (0, 10, 20, 30, 900, 910)),  # a pause is not stretched over
        ((0, 10, 30, 20, 40, 50), (0, 10, 30, 35, 40, 50)),
        ((0, 10, 20, 14, 16, 30), (0, 10, 20, 20 + 10 / 3, 20 + 20 / 3, 30)),
        ((0, 10, 20, WRAP + 30, 40, 50), (0, 10, 20, 30, 40, 50)),
        ((WRAP - 20, WRAP - 10, 0, 10), (0, 10, 20, 30)),
        ((0, 10, 10.0004, 20), (0, 10, 15, 20)),
    ],
)
def test_the_repairs(stamps: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert repair(*stamps) == pytest.approx(expected, abs=1e-3)


def naive(stamps: NDArray[np.float64]) -> list[float]:
    """The same, point by point, without the counter's overflow."""
    latest: list[float] = []
    for stamp in stamps - stamps[0]:
        latest.append(max([round(stamp * 1000) / 1000, *latest[-1:]]))
    different = sorted(set(latest))
    gaps = [after - before for before, after in pairwise(different)]
    usual = float(np.median(gaps))
    found = []
    for place, value in enumerate(latest):
        rank, count = place - latest.index(value), latest.count(value)
        gap = gaps[different.index(value)] if value != different[-1] else usual * count
        found.append(value + rank * min(gap / count, usual))
    return found


@given(st.lists(st.integers(-12, 40), min_size=2, max_size=60))
@settings(max_examples=300, deadline=None)
def test_the_repair_agrees_with_its_naive_twin(steps: list[int]) -> None:
    stamps = np.cumsum(steps).astype(float)
    if len(set(np.maximum.accumulate(stamps))) < 2:
        return
    found = repair_clock(stamps, ClockLimits(max_back=1e9, min_stamps=2))
    np.testing.assert_allclose(found, naive(stamps), atol=1e-9)
    assert found[0] == 0.0
    assert (np.diff(found) > 0.0).all()


def test_the_largest_jitter_is_repaired_and_more_is_refused() -> None:
    stamps = REGULAR.copy()
    stamps[10] = stamps[9] - LIMITS.max_back
    assert (np.diff(repair_clock(stamps, LIMITS)) > 0).all()
    stamps[10] -= 0.01
    with pytest.raises(StrokesTimeReversed, match="at point 10; up to 50 ms") as caught:
        repair_clock(stamps, LIMITS)
    assert caught.value.field == "t_ms"


def test_small_steps_back_do_not_add_up_to_a_large_one() -> None:
    """Each step is within the jitter, and the whole runs backwards."""
    with pytest.raises(StrokesTimeReversed):
        repair_clock(-REGULAR, LIMITS)


BAD: dict[str, tuple[Any, type[SampleError], str]] = {
    "backwards": (REGULAR[::-1], StrokesTimeReversed, "runs backwards by 190 ms at point 19"),
    "standing still": (np.full(20, 5.0), StrokesTooShort, "only 1 different times"),
    "since 1970 in single precision": ((1.7e12 + REGULAR).astype(np.float32), StrokesTooShort, "different times"),
    "one point": (np.zeros(1), StrokesTooShort, "1 points have only 1"),
    "within a microsecond": (np.linspace(0.0, 4e-4, 20), StrokesTooShort, "only 1 different"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_clock_that_is_none_is_refused(name: str) -> None:
    stamps, kind, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        repair_clock(np.asarray(stamps, np.float64), LIMITS)
    assert caught.value.field == "t_ms"
    assert caught.value.fix
