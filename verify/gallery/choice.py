"""Which kind of index a gallery is searched with: the most exact one that keeps within the bounds for its size.

    flat     all vectors in float32, every one compared: exact                    4·d bytes a person, beside d of codes
    pq       4-bit product codes of two dimensions each, all of them scanned with SIMD registers as tables (André et al.
             2015, as FAISS has it); the nearest are compared again by 8-bit codes            1.25·d bytes
    ivfpq    the same codes in cells, of which the nearest are visited (Jégou et al. 2011): faster, and the only kind
             that loses people to the wrong cell                                         1.25·d bytes + 8

The idea is autofaiss's: size, dimensions and bounds decide, and decide again as the gallery grows. What a kind takes is
estimated from the figures below, measured on one processor (benchmarks/bench_identify.py measures them anew).
"""

from dataclasses import replace

from verify.gallery.bounds import Bounds
from verify.gallery.search import Plan

FLAT_SECONDS = 0.5e-9
"""A dimension of a person."""
PQ_SECONDS = 0.03e-9
"""A 4-bit code of a person, in a scan."""
IVF_SECONDS = 0.06e-9
"""The same, cell by cell."""
CALL_SECONDS = 200e-6
"""Whatever the size: calling, comparing again, naming."""
REGROW = 1.5
"""A gallery is thought over again when it has grown or shrunk by this factor."""

HANDLE_BYTES = 33
"""A person's reference, its place in the table of references, and the marks of a row."""

FEWEST_TO_TRAIN = 1_000
"""People below whom codes cannot be learned."""


def choose(size: int, dimensions: int, bounds: Bounds) -> Plan:
    """The plan for `size` people and vectors of `dimensions`; where no kind is within the bounds, the smallest one that
    is fast enough, else the fastest."""
    plans = estimates(size, dimensions)
    if size < FEWEST_TO_TRAIN:
        plans = plans[:1]
    marked = [replace(one, within=one.seconds <= bounds.seconds and one.bytes <= bounds.bytes) for one in plans]
    for one in marked:
        if one.within:
            return one
    fast = [one for one in marked if one.seconds <= bounds.seconds]
    return min(fast, key=lambda one: one.bytes) if fast else min(marked, key=lambda one: one.seconds)


def estimates(size: int, dimensions: int) -> list[Plan]:
    """What each kind takes, the most exact one first."""
    codes = sub_quantizers(dimensions)
    compact = size * (codes // 2 + dimensions + HANDLE_BYTES + 4)
    lists = cells(size)
    probes = max(1, lists // 8)
    visited = size * probes / lists
    return [
        Plan("flat", 0, 0, CALL_SECONDS + size * dimensions * FLAT_SECONDS, size * (5 * dimensions + HANDLE_BYTES + 4)),
        Plan("pq", 0, 0, CALL_SECONDS + size * codes * PQ_SECONDS, compact),
        Plan(
            "ivfpq",
            lists,
            probes,
            CALL_SECONDS + visited * codes * IVF_SECONDS + lists * dimensions * FLAT_SECONDS,
            compact + 8 * size + 4 * lists * dimensions,
        ),
    ]


def sub_quantizers(dimensions: int) -> int:
    """How many 4-bit codes stand for a vector: one for two dimensions, at most 128; a divisor, as dimensions are padded
    to a multiple of four (`verify.gallery.space`)."""
    codes = dimensions // 2
    while codes > 128 and codes % 2 == 0:
        codes //= 2
    return codes


def cells(size: int) -> int:
    """How many cells a gallery is cut into: a power of two near 4·√n, at least 16."""
    wanted = 4.0 * size**0.5
    lists = 16
    while lists * 2 <= wanted:
        lists *= 2
    return lists
