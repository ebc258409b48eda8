"""Which kind of index follows from size and bounds."""

import pytest

from verify.gallery.bounds import Bounds
from verify.gallery.choice import cells, choose, estimates, sub_quantizers


@pytest.mark.parametrize(
    ("size", "bounds", "kind", "within"),
    [
        (0, Bounds(), "flat", True),
        (20_000, Bounds(), "flat", True),
        (100_000, Bounds(), "pq", True),
        (1_000_000, Bounds(seconds=3e-3), "pq", True),
        (1_000_000, Bounds(seconds=60.0, bytes=2**40), "flat", True),
        (5_000_000, Bounds(seconds=5e-3, bytes=2**40), "ivfpq", True),
        (20_000, Bounds(bytes=5_000_000), "pq", True),
        (5_000_000, Bounds(seconds=2e-3), "ivfpq", False),
        (20_000, Bounds(bytes=1), "pq", False),
        (999, Bounds(bytes=1), "flat", False),
    ],
)
def test_the_most_exact_kind_within_the_bounds(size: int, bounds: Bounds, kind: str, within: bool) -> None:
    plan = choose(size, 128, bounds)
    assert (plan.kind, plan.within) == (kind, within)


@pytest.mark.parametrize("dimensions", [4, 20, 40, 52, 128, 304, 512, 1024])
def test_codes_divide_the_dimensions(dimensions: int) -> None:
    codes = sub_quantizers(dimensions)
    assert dimensions % codes == 0
    assert 1 <= codes <= 128 or codes % 2 == 1


def test_coarse_kinds_take_less_than_the_exact_one() -> None:
    flat, pq, ivf = estimates(1_000_000, 128)
    assert pq.bytes < 0.4 * 4 * 128 * 1_000_000 < flat.bytes
    assert ivf.seconds < pq.seconds < flat.seconds
    assert ivf.probes <= ivf.lists == cells(1_000_000)
