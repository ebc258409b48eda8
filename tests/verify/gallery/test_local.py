"""The search in memory against a naive twin: adding, moving, removing, growing through every kind of index."""

import secrets
from collections.abc import Callable
from threading import Event, Thread

import numpy as np
import pytest
from numpy.typing import NDArray

from verify.gallery.bounds import Bounds
from verify.gallery.local import TAIL, LocalSearch

Floats = NDArray[np.float32]
EXACT = Bounds(seconds=1.0, bytes=2**40)
COARSE = Bounds(seconds=1e-9, bytes=2**40)
SMALL = Bounds(seconds=1.0, bytes=1)
DIMENSIONS = 16
People = Callable[..., tuple[list[str], Floats]]


@pytest.fixture
def people() -> People:
    """``people(count, seed)``: references and places."""

    def make(count: int, seed: int = 0) -> tuple[list[str], Floats]:
        places = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
        return [secrets.token_hex(16) for _ in range(count)], places

    return make


def nearest(places: dict[str, Floats], vector: Floats, count: int) -> list[str]:
    """The naive twin."""
    refs = list(places)
    apart = ((np.stack([places[ref] for ref in refs]) - vector) ** 2).sum(1)
    return [refs[at] for at in np.argsort(apart, kind="stable")[:count]]


def found(search: LocalSearch, vector: Floats, count: int) -> list[str]:
    """Whom a search names."""
    near = search.search(vector, count)
    assert [one.distance for one in near] == sorted(one.distance for one in near)
    return [one.ref for one in near]


def as_near(held: dict[str, Floats], vector: Floats, named: list[str], expected: list[str]) -> bool:
    """Whether `found` are as near as `expected`, place by place, up to what 8 bits leave of a distance."""
    apart = [[float(np.linalg.norm(held[ref] - vector)) for ref in refs] for refs in (named, expected)]
    return len(named) == len(set(named)) and np.allclose(*apart, atol=0.1)


def opened(bounds: Bounds = EXACT) -> LocalSearch:
    return LocalSearch(DIMENSIONS, 6.0, bounds)


def test_an_empty_gallery_finds_nobody(people: People) -> None:
    search = opened()
    search.tend()
    assert len(search) == 0
    assert found(search, people(1)[1][0], 5) == []
    assert search.remove(["0" * 32, secrets.token_hex(16)]) == 0


@pytest.mark.parametrize(("bounds", "kind"), [(EXACT, "flat"), (SMALL, "pq")])
def test_whatever_is_added_moved_or_removed_shows_at_once(people: People, bounds: Bounds, kind: str) -> None:
    """A few thousand random steps, each compared with the twin."""
    rng = np.random.default_rng(3)
    search, held = opened(bounds), dict[str, Floats]()
    for step in range(60):
        refs, places = people(150, seed=step)
        moved = [str(ref) for ref in rng.choice(sorted(held), 20, replace=False)] if held else []
        refs[: len(moved)] = moved
        search.add(refs, places)
        held |= dict(zip(refs, places, strict=True))
        gone = [str(ref) for ref in rng.choice(sorted(held), 30, replace=False)]
        assert search.remove([*gone, secrets.token_hex(16)]) == 30
        for ref in gone:
            del held[ref]
        assert len(search) == len(held)
        if step % 3 == 0:
            search.tend()
        at = places[-1] if refs[-1] in held else places[0]
        assert as_near(held, at, found(search, at, 4), nearest(held, at, 4))
        assert not set(gone) & set(found(search, held[next(iter(held))], 60))
    assert search.plan.kind == kind


def test_a_gallery_is_thought_over_as_it_grows(people: People) -> None:
    """Exact while that is fast enough, then product codes, then codes in cells."""
    kinds = []
    search = opened(Bounds(seconds=300e-6, bytes=2**40))
    for seed in range(4):
        search.add(*people(10_000, seed))
        search.tend()
        kinds.append(search.plan.kind)
    assert list(dict.fromkeys(kinds)) == ["flat", "pq"]
    assert opened(COARSE).plan.kind == "flat"  # of nobody
    cells = opened(COARSE)
    refs, places = people(30_000)
    cells.add(refs, places)
    cells.tend()
    assert (cells.plan.kind, cells.plan.within) == ("ivfpq", False)
    right = [found(cells, place, 1)[0] == ref for ref, place in zip(refs[::300], places[::300], strict=True)]
    assert all(right)


def test_somebody_enrolled_again_and_again_hides_nobody(people: People) -> None:
    """Thousands of dead rows in one place, and the neighbour right behind them."""
    search = opened(SMALL)
    refs, places = people(3_000)
    search.add(refs, places)
    search.tend()
    here = places[0]
    for _ in range(1_500):
        search.add([refs[0]], here[np.newaxis])
    search.tend()
    for _ in range(300):
        search.add([refs[0]], here[np.newaxis])
    held = dict(zip(refs, places, strict=True))
    assert as_near(held, here, found(search, here, 3), nearest(held, here, 3))
    search.remove([refs[0]])
    del held[refs[0]]
    assert as_near(held, here, found(search, here, 3), nearest(held, here, 3))


def test_rows_of_the_removed_are_used_again(people: People) -> None:
    search = opened(SMALL)
    refs, places = people(4_000)
    for _ in range(12):
        search.add(refs, places)
        search.tend()
    assert len(search) == 4_000
    assert search.memory < 3 * 8_192 * (DIMENSIONS + 16) + 30 * 4_000 * (2 + DIMENSIONS) + 4 * 2**20


def test_searches_go_on_while_others_write(people: People) -> None:
    """A search that runs at any moment finds who is not touched, and exactly what it is asked for."""
    search = opened(SMALL)
    refs, places = people(3 * TAIL)
    search.add(refs, places)
    stopping, failures = Event(), list[BaseException]()

    def write() -> None:
        try:
            for seed in range(40):
                mine, there = people(500, seed + 10)
                search.add(mine, there)
                search.tend()
                search.remove(mine[::2])
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        finally:
            stopping.set()

    writer = Thread(target=write)
    writer.start()
    searched = 0
    while not stopping.is_set() or not searched:
        at = searched % len(refs)
        assert found(search, places[at], 1) == [refs[at]]
        searched += 1
    writer.join()
    assert not failures
    assert len(search) == len(refs) + 40 * 250
