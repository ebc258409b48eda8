"""Scoring probes with one person's Gaussian: ours against a triangular solve, scipy, and a loop over probes.

python benchmarks/bench_gaussian.py
"""

import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import multivariate_normal

import report
from enroll.gaussian import LOG_2PI, fit_map

DIMENSIONS, PROBES, REPEATS = 128, 400, 30


def best_seconds(work: Callable[[], object]) -> float:
    """Least time of several runs: the machine's noise only ever adds."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    rows = report.Rows(report.parser(__doc__, quick="the same: it takes seconds").parse_args())
    generator = np.random.default_rng(0)
    basis = generator.normal(size=(DIMENSIONS, DIMENSIONS))
    within = basis @ basis.T / DIMENSIONS + 0.1 * np.eye(DIMENSIONS)
    person = fit_map(generator.normal(size=(5, DIMENSIONS)), within, strength=15.0)
    probes = generator.normal(size=(PROBES, DIMENSIONS))
    covariance, inverse = person.covariance(), person.precision()

    def triangular() -> np.ndarray:
        white = solve_triangular(person.factor, (probes - person.mean).T, lower=True, check_finite=False)
        return -0.5 * (DIMENSIONS * LOG_2PI + person.log_determinant + (white * white).sum(0))

    def loop() -> np.ndarray:
        constant = DIMENSIONS * LOG_2PI + person.log_determinant
        return np.array([-0.5 * (constant + (x - person.mean) @ inverse @ (x - person.mean)) for x in probes])

    def scipy_density() -> np.ndarray:
        return multivariate_normal(person.mean, covariance).logpdf(probes)

    ours = person.log_density(probes)
    baselines = {"triangular solve": triangular, "scipy multivariate_normal": scipy_density, "loop over probes": loop}
    seconds = best_seconds(lambda: person.log_density(probes))
    print(f"log density of {PROBES} probes, {DIMENSIONS} dimensions: {1e6 * seconds:.0f} us")
    for name, work in baselines.items():
        assert np.allclose(work(), ours)
        other = best_seconds(work)
        print(f"  {other / seconds:5.1f}x faster than {name} ({1e6 * other:.0f} us)")
        rows.add(
            f"log density of {PROBES} probes",
            ours=1e6 * seconds,
            baseline=1e6 * other,
            against=name,
            unit="µs, least",
            n=REPEATS,
        )


if __name__ == "__main__":
    main()
