"""Vectors in 8 bits a coordinate, in blocks that never move: what candidates of a coarse index are compared by.

    code = round( (z / limit + 1) · 127.5 ), clipped to 0 … 255        z' = (code / 127.5 − 1) · limit

With limit five standard deviations, rounding adds about (5σ/127.5)²/12 = 1.3·10⁻⁴ σ² a coordinate to a squared
distance: nothing beside the differences between people.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

BLOCK = 8_192


class Codes:
    """Rows of `dimensions` values within ±`limit`; one writer at a time, any number of readers."""

    def __init__(self, dimensions: int, limit: float) -> None:
        self._dimensions = dimensions
        self._scale = np.float32(127.5 / limit)
        self._blocks: list[NDArray[np.uint8]] = []

    def put(self, rows: Rows, vectors: Floats) -> None:
        """Write `vectors`, float32 (n, d), at `rows` (n,)."""
        while rows.size and int(rows.max()) >= BLOCK * len(self._blocks):
            self._blocks.append(np.zeros((BLOCK, self._dimensions), np.uint8))
        codes = np.clip(np.rint(vectors * self._scale + np.float32(127.5)), 0, 255).astype(np.uint8)
        for block in np.unique(rows // BLOCK):
            mine = rows // BLOCK == block
            self._blocks[block][rows[mine] % BLOCK] = codes[mine]

    def get(self, rows: Rows) -> Floats:
        """The vectors at `rows`, float32 (n, d)."""
        order = np.argsort(rows)
        blocks, places = np.divmod(rows[order], BLOCK)
        codes = np.empty((len(rows), self._dimensions), np.uint8)
        ends = [*(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(rows)] if len(rows) else []
        begin = 0
        for end in ends:
            codes[order[begin:end]] = self._blocks[int(blocks[begin])][places[begin:end]]
            begin = end
        return (codes.astype(np.float32) - np.float32(127.5)) / self._scale

    @property
    def memory(self) -> int:
        """Bytes held."""
        return len(self._blocks) * BLOCK * self._dimensions
