"""Time stamps as pen tablets write them → strictly increasing milliseconds.

Three faults are common in recordings of genuine devices, and repaired in this order:

- A counter of microseconds in 32 bits runs over: stamps jump by 2^32 us = 4,294,967.296 ms and back (5 files of SUSIG's
  blind set). Steps are taken modulo 2^32 us, nearest to zero; no signature lasts half as long.
- Stamps step back: by up to 25 ms in SVC2004 Task 1 (59 of 1,600 files) and by 10 ms in SUSIG's visual set (158 of
  3,020 files). A stamp below the largest so far is raised to it. One that is further behind than `ClockLimits.max_back`
  is no jitter, and refused.
- Stamps repeat (357 files of SVC2004; and after the repair above). The points that share a stamp are spread evenly up
  to the next one, at most a median step apart, so that a repeated stamp ahead of a pause does not stretch over it.

Stamps less than a microsecond apart count as the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import StrokesTimeReversed, StrokesTooShort

_WRAP = 2.0**32 / 1000.0
"""Milliseconds in 2^32 microseconds."""

_GRID = 1000.0
"""Stamps told apart in a millisecond."""


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """What is taken for a clock.

    Attributes
    ----------
    max_magnitude : of a stamp, in ms; a Unix time is 2e12, and float64 resolves a hundredth of a ms at the limit.
    max_back : ms by which a stamp may lie behind an earlier one: twice the worst of the corpora above.
    min_stamps : different stamps that a recording needs; fewer, and speed would be an invention.
    """

    max_magnitude: float = 1e14
    max_back: float = 50.0
    min_stamps: int = 8


def repair_clock(stamps: NDArray[np.float64], limits: ClockLimits) -> NDArray[np.float64]:
    """Finite stamps in ms, float64 (n,) with n >= 1 → float64 (n,), strictly increasing from 0.

    Stamps that increase already are only moved to start at 0 and rounded to whole microseconds.

    Raises
    ------
    StrokesTimeReversed : a stamp lies more than `limits.max_back` behind an earlier one.
    StrokesTooShort : fewer than `limits.min_stamps` different stamps.
    """
    wraps = np.cumsum(np.rint(np.diff(stamps, prepend=stamps[0]) / _WRAP))
    t = stamps - stamps[0] - _WRAP * wraps
    latest = np.maximum.accumulate(t)
    behind = latest - t
    if behind.max() > limits.max_back:
        raise StrokesTimeReversed(
            f"time runs backwards by {behind.max():.4g} ms at point {int(np.argmax(behind))}; up to "
            f"{limits.max_back:g} ms are taken for a device's jitter",
            field="t_ms",
            fix="send the points in the order in which they were written, time in milliseconds",
        )
    ticks, first, counts = np.unique(np.rint(latest * _GRID), return_index=True, return_counts=True)
    if len(ticks) < limits.min_stamps:
        raise StrokesTooShort(
            f"{len(stamps)} points have only {len(ticks)} different times, at least {limits.min_stamps} are needed",
            field="t_ms",
            fix="send milliseconds since the first point, not since another date",
        )
    different = ticks / _GRID
    gaps = np.diff(different)
    usual = float(np.median(gaps))
    pitch = np.minimum(np.append(gaps, usual * counts[-1]) / counts, usual)
    rank = np.arange(len(stamps)) - np.repeat(first, counts)
    return np.asarray(np.repeat(different, counts) + rank * np.repeat(pitch, counts))
