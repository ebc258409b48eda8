"""Dynamic time warping of many pairs of sequences at once.

    D(i, j) = ‖a_i − b_j‖ + min { D(i−1, j), D(i, j−1), D(i−1, j−1) },    D(0, 0) = ‖a_0 − b_0‖
    distance = D(n − 1, m − 1)

The sum of Euclidean local costs along the cheapest path (Sakoe & Chiba 1978, symmetric form P = 0 with unit weights),
not divided by the length of the path. Cells of one anti-diagonal i + j = k depend only on the two diagonals before it:
each step here takes one diagonal of the whole batch: n·m·B cells cost n + m − 1 steps (benchmarks/bench_dtw.py).

Squared local costs are the product ‖a‖² + ‖b‖² − 2·a·b in float64, whose rounding leaves at most about 1e-8·‖a‖ of a
local cost; the sums along the path are float32, six or more digits of a distance.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

CHUNK_BYTES = 1 << 23
"""Bytes of local costs held at once, unless one pair alone needs more: small enough for a processor's cache."""

_BLOCK_BYTES = 1 << 19
"""Bytes of squared costs made by one product."""


def dtw_distances(a: ArrayLike, b: ArrayLike, a_lengths: ArrayLike, b_lengths: ArrayLike) -> NDArray[np.float64]:
    """Distances of B pairs of sequences: float64 (B,), never negative, 0 for equal sequences up to rounding.

    The time is proportional to the sum of n·m, the memory bounded by CHUNK_BYTES (or one pair's 4·n·m bytes) beside
    the input; whoever calls caps the lengths.

    Parameters
    ----------
    a, b : (B, n, F) and (B, m, F), real, finite up to each sequence's length; what lies beyond decides nothing.
        Channels of zeros change nothing, so that pairs of unlike features can share a batch.
    a_lengths, b_lengths : (B,), integers, points of each sequence, 1 … n and 1 … m.

    Raises
    ------
    ValueError : the shapes disagree, or a length lies outside its range.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    n, m = np.asarray(a_lengths, np.int64), np.asarray(b_lengths, np.int64)
    _require_shapes(first, second, n, m)
    distances = np.empty(len(first))
    # Pairs of like lengths go together: a chunk costs what its longest sequences ask for.
    for chosen in _chunks(n, m):
        rows, columns = int(n[chosen].max()), int(m[chosen].max())
        costs = _local_costs(first[chosen, :rows], second[chosen, :columns])
        distances[chosen] = _warp(costs, n[chosen], m[chosen])
    return distances


def _require_shapes(a: NDArray[np.float64], b: NDArray[np.float64], n: NDArray[np.int64], m: NDArray[np.int64]) -> None:
    if a.ndim != 3 or b.ndim != 3 or a.shape[::2] != b.shape[::2] or n.shape != (len(a),) or m.shape != (len(a),):
        raise ValueError(f"pairs (B, n, F) and (B, m, F) with lengths (B,) expected, not {a.shape} and {b.shape}")
    if len(a) and (n.min() < 1 or m.min() < 1 or n.max() > a.shape[1] or m.max() > b.shape[1]):
        raise ValueError("a sequence has no point, or more points than its array holds")


def _chunks(n: NDArray[np.int64], m: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Indices of the pairs, in chunks whose padded costs take at most CHUNK_BYTES."""
    chunks: list[NDArray[np.int64]] = []
    order = np.lexsort((m, n))
    start = rows = columns = 0
    for end, index in enumerate(order):
        rows, columns = max(rows, int(n[index])), max(columns, int(m[index]))
        if end > start and 4 * rows * columns * (end - start + 1) > CHUNK_BYTES:
            chunks.append(order[start:end])
            start, rows, columns = end, int(n[index]), int(m[index])
    if len(order):
        chunks.append(order[start:])
    return chunks


def _local_costs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float32]:
    """‖a_i − b_j‖ of pairs (B, n, F) and (B, m, F): float32 (n, m, B), the pairs innermost."""
    pairs, n, _ = a.shape
    m = b.shape[1]
    squares_a, squares_b = (a * a).sum(2, keepdims=True), (b * b).sum(2, keepdims=True)
    # One product gives the whole: [−2a, ‖a‖², 1] · [b, 1, ‖b‖²].
    left = np.concatenate([-2.0 * a, squares_a, np.ones_like(squares_a)], 2)
    right = np.concatenate([b, np.ones_like(squares_b), squares_b], 2).transpose(0, 2, 1)
    costs = np.empty((n, m, pairs), np.float32)
    block = max(1, _BLOCK_BYTES // (8 * pairs * m))
    for row in range(0, n, block):
        costs[row : row + block] = (left[:, row : row + block] @ right).transpose(1, 2, 0)
    np.maximum(costs, 0.0, out=costs)
    return np.sqrt(costs, out=costs)


def _warp(costs: NDArray[np.float32], n: NDArray[np.int64], m: NDArray[np.int64]) -> NDArray[np.float64]:
    """D(n − 1, m − 1) of each pair; costs (rows, columns, B) contiguous, float64 (B,).

    Cells beyond a pair's own lengths are computed with the rest and never reach its last cell.
    """
    rows, columns, pairs = costs.shape
    step = costs.itemsize
    # diagonal[k, i, b] = costs[i, k − i, b]: from one row to the next on a diagonal, one row on and one column back.
    diagonal = as_strided(
        costs,
        (rows + columns - 1, rows, pairs),
        (columns_step := pairs * step, (columns - 1) * columns_step, step),
        writeable=False,
    )
    last = n + m - 2
    finishing = np.argsort(last, kind="stable")
    boundaries = np.searchsorted(last[finishing], np.arange(rows + columns))
    # Row i of a diagonal is kept at i + 1; place 0 stands for the cells before the first row.
    before, previous, current = (np.full((rows + 1, pairs), np.inf, np.float32) for _ in range(3))
    before[0] = 0.0
    distances = np.empty(pairs)
    for k in range(rows + columns - 1):
        low, high = max(0, k - columns + 1), min(rows, k + 1)
        cells = current[low + 1 : high + 1]
        np.minimum(previous[low:high], previous[low + 1 : high + 1], out=cells)
        np.minimum(cells, before[low:high], out=cells)
        np.add(cells, diagonal[k, low:high], out=cells)
        if k == 0:
            before[0] = np.inf  # only the first cell may begin a path
        if boundaries[k] < boundaries[k + 1]:
            done = finishing[boundaries[k] : boundaries[k + 1]]
            distances[done] = current[n[done], done]
        before, previous, current = previous, current, before
    return distances
