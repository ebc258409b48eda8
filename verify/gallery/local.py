"""Candidate search in this process's memory.

    index   FAISS over most rows, replaced as a whole         tail   the latest rows, in float32, all compared
    search  index and tail → rows still alive → compared by 8-bit codes → nearest

A search reads one immutable :class:`_State`. A writer appends behind the end that readers see, marks rows dead, and
swaps the state; so neither waits for the other. Dead rows are passed over, and given to others once no index names
them. `tend` moves the tail into the index, and makes the index anew where another kind fits the size better or many
rows are dead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from verify.gallery.bounds import Bounds
from verify.gallery.choice import REGROW, choose
from verify.gallery.codes import Codes
from verify.gallery.index import Index, Rows, build, extended, nobody
from verify.gallery.refs import Refs
from verify.gallery.search import Floats, Near, Plan

TAIL = 2_048
"""Rows compared one by one before they are worth moving."""
TAIL_SHARE = 0.002
DEAD_SHARE = 0.1
COARSE = 24
"""How many rows of coarse codes are compared again for each candidate asked for, at least `COARSE_LEAST`."""
COARSE_LEAST = 512


@dataclass(frozen=True, slots=True)
class _State:
    """What one search reads: the index, and the first `length` of the tail's rows and vectors."""

    index: Index
    tail: Rows
    vectors: Floats
    length: int


class LocalSearch:
    """A :class:`~verify.gallery.search.CandidateSearch` whose vectors lie within ±`limit`.

    Parameters
    ----------
    coarse : rows of coarse codes that are compared again for each candidate asked for.
    """

    def __init__(self, dimensions: int, limit: float, bounds: Bounds, *, coarse: int = COARSE) -> None:
        self._dimensions, self._bounds, self._coarse = dimensions, bounds, coarse
        self._codes = Codes(dimensions, limit)
        self._refs = Refs()
        self._alive: NDArray[np.bool_] = np.zeros(TAIL, np.bool_)
        self._used, self._living, self._dead = 0, 0, 0
        self._free: list[int] = []
        self._writing, self._tending = Lock(), Lock()
        self._planned_for = 0
        self._state = _State(nobody(choose(0, dimensions, bounds)), *self._room(TAIL), 0)

    def __len__(self) -> int:
        return self._living

    def add(self, refs: Sequence[str], vectors: Floats) -> None:
        with self._writing:
            before = [row for ref in refs if (row := self._refs.row(ref)) is not None]
            rows = self._take(len(refs))
            self._codes.put(rows, vectors)
            self._refs.put(refs, rows)
            self._alive[rows] = True
            self._append(rows, vectors)
            self._living += len(refs)
            # Only now: a search in between finds such a person twice, and never not at all.
            self._kill(np.array(before, np.int64))

    def remove(self, refs: Sequence[str]) -> int:
        with self._writing:
            rows = [row for ref in refs if (row := self._refs.row(ref)) is not None]
            self._kill(np.array(rows, np.int64))
            return len(rows)

    def search(self, vector: Floats, count: int) -> list[Near]:
        state = self._state
        wanted = count if state.index.exact else max(COARSE_LEAST, self._coarse * count)
        rows, distances = self._nearest_indexed(state, vector, count, wanted)
        late, late_distances = _nearest_in(state.tail[: state.length], state.vectors[: state.length], vector)
        rows, distances = np.concatenate([rows, late]), np.concatenate([distances, late_distances])
        living = self._alive[rows]
        rows, distances = rows[living], distances[living]
        found: dict[str, float] = {}
        for at in np.argsort(distances, kind="stable")[: 2 * count].tolist():
            if (ref := self._refs.ref(int(rows[at]))) is not None:
                found.setdefault(ref, float(distances[at]))
        return [Near(*one) for one in list(found.items())[:count]]

    def tend(self) -> None:
        with self._tending:
            state, plan = self._state, self._next_plan()
            if plan is not None:
                self._rebuild(plan)
            elif state.length > max(TAIL // 2, TAIL_SHARE * len(state.index.rows)):
                self._extend()
            if self._refs.wants_merging:
                with self._writing:
                    self._refs.begin_merge()
                    rows = np.flatnonzero(self._alive)
                table = self._refs.merged(rows)
                with self._writing:
                    self._refs.end_merge(table)

    @property
    def memory(self) -> int:
        state = self._state
        tail = state.tail.nbytes + state.vectors.nbytes
        return self._codes.memory + self._refs.memory + state.index.memory + tail + self._alive.nbytes

    @property
    def plan(self) -> Plan:
        return self._state.index.plan

    def close(self) -> None:
        """Nothing is held but memory."""

    def _nearest_indexed(self, state: _State, vector: Floats, count: int, wanted: int) -> tuple[Rows, Floats]:
        """Rows of the index, at least `count` of them alive unless there are fewer; distances by the finer codes."""
        while True:
            rows, distances = state.index.nearest(vector, wanted)
            living = self._alive[rows]
            if int(living.sum()) >= count or len(rows) < wanted or wanted >= len(state.index.rows):
                break
            wanted *= 4  # somebody enrolled again and again leaves many dead rows in one place
        rows, distances = rows[living], distances[living]
        if state.index.exact or not len(rows):
            return rows, distances
        return _nearest_in(rows, self._codes.get(rows), vector)

    def _next_plan(self) -> Plan | None:
        """Another plan than the one in force, or the same where many rows of the index are dead; else None."""
        now, size = self._state.index.plan, self._living
        if self._planned_for / REGROW <= size <= self._planned_for * REGROW and self._planned_for:
            plan = now
        else:
            plan = choose(size, self._dimensions, self._bounds)
            if plan.kind == now.kind and plan.lists == now.lists and self._state.index.found is not None:
                self._planned_for = size
                plan = now
        if plan is not now and size > TAIL:
            return plan
        return now if self._dead > max(TAIL, DEAD_SHARE * size) else None

    def _rebuild(self, plan: Plan) -> None:
        """An index of every living row; rows that are dead now are free afterwards."""
        with self._writing:
            rows, length = np.flatnonzero(self._alive), self._state.length
            held = ~self._alive[: self._used]
            held[self._free] = False
            dead = np.flatnonzero(held)
        index = build(plan, self._codes, rows, self._dimensions)
        with self._writing:
            self._planned_for = len(rows)
            self._swap(index, length)
            self._free += dead.tolist()
            self._dead -= len(dead)

    def _extend(self) -> None:
        with self._writing:
            state = self._state
            tail = state.tail[: state.length]
            living = self._alive[tail]
        if state.index.found is None:
            return
        index = extended(state.index, state.vectors[: state.length][living], tail[living])
        with self._writing:
            self._swap(index, state.length)
            gone = tail[~living]
            self._free += gone.tolist()
            self._dead -= len(gone)

    def _swap(self, index: Index, indexed: int) -> None:
        """`index` from now on, without the first `indexed` rows of the tail."""
        now = self._state
        rest = now.length - indexed
        tail, vectors = self._room(max(TAIL, 2 * rest))
        tail[:rest], vectors[:rest] = now.tail[indexed : now.length], now.vectors[indexed : now.length]
        self._state = _State(index, tail, vectors, rest)

    def _append(self, rows: Rows, vectors: Floats) -> None:
        now, length = self._state, self._state.length + len(rows)
        tail, held = now.tail, now.vectors
        if length > len(tail):
            tail, held = self._room(2 * length)
            tail[: now.length], held[: now.length] = now.tail[: now.length], now.vectors[: now.length]
        tail[now.length : length], held[now.length : length] = rows, vectors
        self._state = _State(now.index, tail, held, length)

    def _take(self, count: int) -> Rows:
        """Rows that nobody is in."""
        again = [self._free.pop() for _ in range(min(count, len(self._free)))]
        fresh = range(self._used, self._used + count - len(again))
        self._used += len(fresh)
        if self._used > len(self._alive):
            grown = np.zeros(max(self._used, len(self._alive) * 5 // 4), np.bool_)
            grown[: len(self._alive)] = self._alive
            self._alive = grown
        return np.array([*again, *fresh], np.int64)

    def _kill(self, rows: Rows) -> None:
        self._alive[rows] = False
        self._refs.clear(rows)
        self._living -= len(rows)
        self._dead += len(rows)

    def _room(self, rows: int) -> tuple[Rows, Floats]:
        return np.zeros(rows, np.int64), np.zeros((rows, self._dimensions), np.float32)


def _nearest_in(rows: Rows, vectors: Floats, vector: Floats) -> tuple[Rows, Floats]:
    """All `rows` with the squared distances of their vectors."""
    apart = vectors - vector
    return rows, np.einsum("ij,ij->i", apart, apart)
