"""Counting a block of scores while it is still in the cache, in compiled code that releases Python's lock.

Per score: clip to the grid, truncate to a bin, one increment; and where a stretch of scores reaches the bin of the
tail's cut, those above the cut are copied out. Clipping and truncation are vectorised; increments alternate between two
histograms, as one that waits for the last to be stored would cost several cycles.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

HISTOGRAMS = 2
"""Rows of the counts that the kernel is given; they are to be summed."""

MOST_COUNTED = 2**32 - 1
"""Scores after which a count of 32 bits could overflow; they are to be settled before."""

_STRETCH = 128


def _accumulate(
    positions: NDArray[np.float32],
    counts: NDArray[np.uint32],
    cut: np.float32,
    tail: NDArray[np.float32],
    held: int,
) -> int:
    """Count float32 (n,) positions into uint32 (2, bins + 1), append those above `cut` to `tail` after `held`.

    The tail must have room for all of them. Positions below 1 and NaN are counted in bin 0, those above in the last
    one. Returns how many the tail holds now.
    """
    highest = np.float32(counts.shape[1] - 1)
    bins = np.empty(_STRETCH, np.int32)
    places = bins.view(np.uint32)  # numpy's meaning of a negative index is of no use here and costs a test
    even, odd = counts[0], counts[1]
    for start in range(0, positions.size, _STRETCH):
        part = positions[start : start + _STRETCH]
        most = np.int32(0)
        for j in range(part.size):
            value = part[j]
            value = value if value > np.float32(0.0) else np.float32(0.0)
            value = value if value < highest else highest
            place = np.int32(value)
            bins[j] = place
            most = max(most, place)
        paired = part.size - part.size % 4
        for j in range(0, paired, 4):
            even[places[j]] += np.uint32(1)
            odd[places[j + 1]] += np.uint32(1)
            even[places[j + 2]] += np.uint32(1)
            odd[places[j + 3]] += np.uint32(1)
        for j in range(paired, part.size):
            even[places[j]] += np.uint32(1)
        if np.float32(most + 1) > cut or np.float32(most) == highest:
            for j in range(part.size):
                if part[j] > cut:
                    tail[held] = part[j]
                    held += 1
    return held


def _add_squares(positions: NDArray[np.float32], terms: NDArray[np.float32]) -> None:
    """positions += terms², both float32 (n,)."""
    for j in range(positions.size):
        positions[j] += terms[j] * terms[j]


def _take_genuine(
    block: NDArray[np.float32],
    top: int,
    owner: NDArray[np.int32],
    sample_offsets: NDArray[np.int64],
    excluded_offsets: NDArray[np.int64],
    excluded: NDArray[np.int32],
    genuine: NDArray[np.float32],
) -> tuple[int, int]:
    """Move the scores of samples with their own person's templates out of a block.

    Parameters
    ----------
    block : float32 (s, t), samples from `top` on against t templates; −inf is left where a score was moved.
    owner : int32 (t,), whose template each column is.
    sample_offsets : int64 (P + 1,), where each person's samples start.
    excluded_offsets, excluded : of column j, samples ``excluded[excluded_offsets[j]:excluded_offsets[j + 1]]`` are no
        probes at all.
    genuine : float32, receives the scores moved; room for a whole block.

    Returns how many scores were moved, and how many places now hold −inf, those of samples that are no probes included.
    """
    moved, left = 0, 0
    for column in range(block.shape[1]):
        first = max(sample_offsets[owner[column]] - top, 0)
        last = min(sample_offsets[owner[column] + 1] - top, block.shape[0])
        if last <= first:
            continue
        for at in range(excluded_offsets[column], excluded_offsets[column + 1]):
            row = excluded[at] - top
            if 0 <= row < block.shape[0]:
                block[row, column] = np.nan
        for row in range(first, last):
            if not np.isnan(block[row, column]):
                genuine[moved] = block[row, column]
                moved += 1
            block[row, column] = -np.inf
        left += last - first
    return moved, left


def _book(
    partial: NDArray[np.uint32],
    edges: NDArray[np.int64],
    booked: NDArray[np.uint32],
    acting: NDArray[np.int64],
) -> None:
    """Add to `acting` what was counted since the last call, summed between `edges`.

    `acting[t]` takes what lies from bin ``edges[t]`` on, below ``edges[t + 1]``; both are int64 (T,), `edges` ascending
    from 0. `booked`, uint32 (T,), holds the sums of the last call: counts are only read, which is a quarter of the work
    of moving them.
    """
    even, odd = partial[0], partial[1]
    for interval in range(edges.size):
        end = edges[interval + 1] if interval + 1 < edges.size else even.size
        total = np.uint32(0)
        for place in range(np.uint32(edges[interval]), np.uint32(end)):  # unsigned as in the kernel above
            total += even[place] + odd[place]
        acting[interval] += np.int64(total) - np.int64(booked[interval])
        booked[interval] = total


def _settle(partial: NDArray[np.uint32], counts: NDArray[np.int64], booked: NDArray[np.uint32]) -> None:
    """Move the kernel's counts, all of them booked, to `counts`, int64 (bins + 1,)."""
    for place in range(counts.size):
        counts[place] += np.int64(partial[0, place]) + np.int64(partial[1, place])
    partial[:] = 0
    booked[:] = 0


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code, kept on disk where the install or the user's cache folder can be written to."""
    try:
        compiled: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep it: compiled once a process
        compiled = njit(nogil=True)(function)
    return compiled


accumulate = _compiled(_accumulate)
add_squares = _compiled(_add_squares)
take_genuine = _compiled(_take_genuine)
book = _compiled(_book)
settle = _compiled(_settle)
