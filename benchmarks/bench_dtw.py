"""One probe warped onto five references in three feature sets: ours against a loop over cells and against compiled C.

python benchmarks/bench_dtw.py
"""

import math
import time
from collections.abc import Callable

import numpy as np
from dtaidistance import dtw_ndim
from numpy.typing import NDArray

import report
from enroll.dtw import dtw_distances

REFERENCES, CHANNELS, SHORTEST, LONGEST = 5, (6, 5, 3), 150, 300

Array = NDArray[np.float64]


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Least time of several runs: the machine's noise only ever adds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def naive(a: list[list[float]], b: list[list[float]]) -> float:
    """The recursion as it reads."""
    before = [math.inf] * len(b)
    for i, point in enumerate(a):
        row: list[float] = []
        for j, other in enumerate(b):
            if i == j == 0:
                cheapest = 0.0
            else:
                diagonal = before[j - 1] if j else math.inf
                cheapest = min(before[j], row[j - 1] if j else math.inf, diagonal)
            row.append(cheapest + math.dist(point, other))
        before = row
    return before[-1]


def signature(generator: np.random.Generator, points: int, channels: int) -> Array:
    """A random walk, each channel normalised to mean 0 and deviation 1."""
    walk = generator.normal(size=(points, channels)).cumsum(0)
    return (walk - walk.mean(0)) / walk.std(0)


def padded(sequences: list[Array]) -> Array:
    array = np.zeros((len(sequences), LONGEST, max(CHANNELS)))
    for row, sequence in zip(array, sequences, strict=True):
        row[: len(sequence), : sequence.shape[1]] = sequence
    return array


def main() -> None:
    options = report.parser(__doc__, quick="the loop over cells once").parse_args()
    rows = report.Rows(options)
    generator = np.random.default_rng(0)
    lengths = np.linspace(SHORTEST, LONGEST, REFERENCES).astype(int).tolist()
    probe_points = (SHORTEST + LONGEST) // 2
    probes = {channels: signature(generator, probe_points, channels) for channels in CHANNELS}
    left = [probes[channels] for channels in CHANNELS for _ in lengths]
    right = [signature(generator, points, channels) for channels in CHANNELS for points in lengths]
    a, b = padded(left), padded(right)
    a_lengths, b_lengths = [len(x) for x in left], [len(x) for x in right]
    lists = [(x.tolist(), y.tolist()) for x, y in zip(left, right, strict=True)]

    def ours() -> Array:
        return dtw_distances(a, b, a_lengths, b_lengths)

    def compiled() -> Array:
        return np.array(
            [dtw_ndim.distance_fast(x, y, inner_dist="euclidean") for x, y in zip(left, right, strict=True)]
        )

    def loop() -> Array:
        return np.array([naive(x, y) for x, y in lists])

    seconds = best_seconds(ours, 30)
    print(
        f"{len(left)} pairs of {probe_points} against {SHORTEST} … {LONGEST} points: {1e3 * seconds:.2f} ms, "
        f"{1e3 * seconds / len(left):.2f} ms a pair"
    )
    for name, work, repeats in (
        ("dtaidistance in C", compiled, 30),
        ("a loop over cells", loop, 1 if options.quick else 2),
    ):
        assert np.allclose(work(), ours(), rtol=2e-6)
        other = best_seconds(work, repeats)
        print(f"  {other / seconds:6.2f}x the speed of {name} ({1e3 * other:.1f} ms)")
        rows.add(
            f"warping {len(left)} pairs",
            ours=1e3 * seconds,
            baseline=1e3 * other,
            against=name,
            unit="ms, least",
            n=repeats,
        )


if __name__ == "__main__":
    main()
