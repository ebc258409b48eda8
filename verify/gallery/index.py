"""The part of a gallery that FAISS holds: made once for some rows, extended by copies, never changed where it is read.

    position in the index  →  row of the gallery        `Index.rows`

FAISS is loaded here alone, and only once a gallery is made: services that do not identify never pay for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.gallery.choice import sub_quantizers
from verify.gallery.codes import Codes
from verify.gallery.search import Floats, Plan

Rows = NDArray[np.int64]

_TRAINED_ON = 65_536
_LISTS_TRAINED_ON = 40
"""Rows a cell, for its centre."""
_AT_ONCE = 16_384


@dataclass(frozen=True)
class Index:
    """An index of the people in `rows`, int32 (n,); `found` is FAISS's own, None of nobody."""

    plan: Plan
    found: Any
    rows: NDArray[np.int32]

    def nearest(self, vector: Floats, count: int) -> tuple[Rows, Floats]:
        """At most `count` rows and their squared distances, by the codes of the index."""
        count = min(count, len(self.rows))
        if self.found is None or not count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        _one_thread()
        distances, positions = self.found.search(vector[np.newaxis], count)
        there = positions[0] >= 0
        return self.rows[positions[0][there]].astype(np.int64), distances[0][there]

    @property
    def exact(self) -> bool:
        """Whether its distances are those of the vectors themselves."""
        return self.plan.kind == "flat"

    @property
    def memory(self) -> int:
        """Bytes held, from what the kind stores of a row."""
        if self.found is None:
            return 0
        lists = self.plan.lists * (4 * int(self.found.d) + 8)
        a_row = int(self.found.code_size) + (8 if self.plan.lists else 0)
        return len(self.rows) * (a_row + 4) + lists


def nobody(plan: Plan) -> Index:
    """The index of an empty gallery."""
    return Index(plan, None, np.empty(0, np.int32))


def build(plan: Plan, codes: Codes, rows: Rows, dimensions: int) -> Index:
    """Train an index for `plan` and put `rows` into it."""
    import faiss

    _one_thread()
    made: Any
    if plan.kind == "flat":
        made = faiss.IndexFlatL2(dimensions)
    elif plan.kind == "pq":
        made = faiss.IndexPQFastScan(dimensions, sub_quantizers(dimensions), 4)
    else:
        coarse: Any = faiss.IndexFlatL2(dimensions)
        made = faiss.IndexIVFPQFastScan(coarse, dimensions, plan.lists, sub_quantizers(dimensions), 4)
        made.own_fields, made.nprobe = True, plan.probes
        coarse.this.disown()
        made.cp.max_points_per_centroid = _LISTS_TRAINED_ON
    if not made.is_trained:
        wanted = max(_TRAINED_ON, _LISTS_TRAINED_ON * plan.lists)
        sample = rows if len(rows) <= wanted else np.sort(np.random.default_rng(0).choice(rows, wanted, replace=False))
        made.train(codes.get(sample))
    for chunk in _chunks(rows):
        made.add(codes.get(chunk))
    return Index(plan, made, rows.astype(np.int32))


def extended(index: Index, vectors: Floats, rows: Rows) -> Index:
    """A copy of `index` with more rows."""
    import faiss

    _one_thread()
    copy = faiss.clone_index(index.found)
    copy.add(vectors)
    return Index(index.plan, copy, np.concatenate([index.rows, rows.astype(np.int32)]))


def _chunks(rows: Rows) -> Iterator[Rows]:
    for begin in range(0, len(rows), _AT_ONCE):
        yield rows[begin : begin + _AT_ONCE]


def _one_thread() -> None:
    """Calls are many: each takes one processor. OpenMP keeps the number by thread."""
    import faiss

    faiss.omp_set_num_threads(1)
