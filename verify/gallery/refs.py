"""Which row a person's vector is in, in 28 bytes a person: a dictionary of a million strings takes six times as much.

    table      prefixes (8 bytes) of all references, sorted, with the row of each; found by bisection
    recent     a dictionary of what was put in since the table was made; merged into a new table now and then

The whole reference stands in its row, and decides: an entry of the table whose row has been given to somebody else says
nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

REF_BYTES = 16
BLOCK = 8_192
_MERGE_FROM = 4_096
_NOBODY = bytes(REF_BYTES)


class Refs:
    """References, 32 hex digits each, by row and the other way round; one writer at a time, any number of readers."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.uint8]] = []
        self._table = np.empty(0, np.uint64), np.empty(0, np.int32)
        self._merging: dict[bytes, int] = {}
        self._recent: dict[bytes, int] = {}

    def put(self, refs: Sequence[str], rows: Rows) -> None:
        """These references are in these rows from now on."""
        while rows.size and int(rows.max()) >= BLOCK * len(self._blocks):
            self._blocks.append(np.zeros((BLOCK, REF_BYTES), np.uint8))
        for ref, row in zip(refs, rows.tolist(), strict=True):
            raw = bytes.fromhex(ref)
            self._blocks[row // BLOCK][row % BLOCK] = np.frombuffer(raw, np.uint8)
            self._recent[raw] = row

    def clear(self, rows: Rows) -> None:
        """Nobody is in these rows any more."""
        for row in rows.tolist():
            raw = self._raw(row)
            if self._recent.get(raw) == row:  # else the person has moved on to another row
                del self._recent[raw]
            self._blocks[row // BLOCK][row % BLOCK] = 0

    def row(self, ref: str) -> int | None:
        """Where a person is, or None."""
        raw = bytes.fromhex(ref)
        for held in (self._recent, self._merging):
            if (row := held.get(raw)) is not None and self._raw(row) == raw:
                return row
        prefix = np.frombuffer(raw[:8], np.uint64)[0]
        prefixes, rows = self._table
        at = int(np.searchsorted(prefixes, prefix))
        while at < len(prefixes) and prefixes[at] == prefix:
            if self._raw(row := int(rows[at])) == raw:
                return row
            at += 1
        return None

    def ref(self, row: int) -> str | None:
        """Who is in a row, or None."""
        raw = self._raw(row)
        return raw.hex() if raw != _NOBODY else None

    @property
    def wants_merging(self) -> bool:
        return len(self._recent) > max(_MERGE_FROM, len(self._table[0]) // 16)

    def begin_merge(self) -> None:
        """By the writer: what is put in from now on is not part of the merge."""
        self._merging, self._recent = self._recent, {}

    def merged(self, rows: Rows) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """The table of those in `rows`; takes long, and needs no lock."""
        prefixes = np.empty(len(rows), np.uint64)
        for number, block in enumerate(self._blocks):
            mine = rows // BLOCK == number
            prefixes[mine] = block[rows[mine] % BLOCK, :8].copy().view(np.uint64)[:, 0]
        order = np.argsort(prefixes)
        return prefixes[order], rows[order].astype(np.int32)

    def end_merge(self, table: tuple[NDArray[np.uint64], NDArray[np.int32]]) -> None:
        """By the writer: `table` counts from now on."""
        self._table = table
        self._merging = {}

    @property
    def memory(self) -> int:
        """Bytes held, the dictionaries by estimate."""
        dictionaries = 170 * (len(self._recent) + len(self._merging))
        return len(self._blocks) * BLOCK * REF_BYTES + sum(part.nbytes for part in self._table) + dictionaries

    def _raw(self, row: int) -> bytes:
        raw: bytes = self._blocks[row // BLOCK][row % BLOCK].tobytes()
        return raw
