"""How times are told: median, 99th percentile and longest, of so many."""

from collections.abc import Sequence


def spread(seconds: Sequence[float]) -> str:
    """In seconds, to the millisecond."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {middle:.3f}, p99 {late:.3f}, longest {ordered[-1]:.3f} of {len(ordered)}"
