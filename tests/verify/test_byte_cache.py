"""The cache that is bounded in bytes."""

from dataclasses import dataclass

import numpy as np

from verify.byte_cache import ByteCache, array_bytes


@dataclass(frozen=True, slots=True)
class Held:
    values: np.ndarray
    more: object = None


def test_what_was_asked_for_least_recently_makes_room() -> None:
    cache: ByteCache[Held] = ByteCache(3 * 10_000)
    for key in "abc":
        cache.put(key, Held(np.zeros(500)))
    assert cache.get("a") is not None
    cache.put("d", Held(np.zeros(500)))
    assert cache.get("b") is None
    assert [cache.get(key) is not None for key in "acd"] == [True, True, True]
    assert cache.nbytes <= 30_000


def test_a_new_value_takes_the_place_and_the_bytes_of_the_old_one() -> None:
    cache: ByteCache[Held] = ByteCache(100_000)
    cache.put("a", Held(np.zeros(5_000)))
    cache.put("a", Held(np.zeros(10)))
    assert len(cache) == 1
    assert cache.nbytes < 40_000


def test_nothing_larger_than_everything_is_kept_and_the_old_value_goes() -> None:
    cache: ByteCache[Held] = ByteCache(20_000)
    cache.put("a", Held(np.zeros(10)))
    cache.put("a", Held(np.zeros(10_000)))
    assert cache.get("a") is None
    assert cache.nbytes == 0
    nothing: ByteCache[int] = ByteCache(0)
    nothing.put("a", 1)
    assert nothing.get("a") is None


def test_arrays_are_found_wherever_they_are() -> None:
    ten = np.zeros(10)
    assert array_bytes(Held(ten, {"x": (ten, [Held(ten)])}), ten, "text", 3) == 4 * 80
