"""Precision@1 and MAP@R of 10,000 embeddings: ours against sorting all N × N cosines, and scikit-learn's neighbours.

python benchmarks/bench_retrieval.py
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_retrieval.py   # one core for all

Every path runs in a fresh process, as the peak memory of a process never falls; what is counted is the peak above that
of the process with the embeddings made and everything imported.
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

import report
from eval.measures.retrieval import retrieval

SAMPLES, PER_PERSON, DIMENSIONS = 10_000, 10, 128
REPEATS = 3

Answer = tuple[float, float]


def embeddings() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    owner = np.arange(SAMPLES) // PER_PERSON
    means = 0.6 * generator.normal(size=(SAMPLES // PER_PERSON, DIMENSIONS))
    return (means[owner] + generator.normal(size=(SAMPLES, DIMENSIONS))).astype(np.float32), owner


def score(neighbours: np.ndarray, owner: np.ndarray) -> Answer:
    """`neighbours` (N, R), nearest first, without the query itself."""
    hits = owner[neighbours] == owner[:, None]
    positions = np.arange(1, hits.shape[1] + 1)
    return float(hits[:, 0].mean()), float(
        ((np.cumsum(hits, axis=1) * hits / positions).sum(axis=1)).mean() / len(positions)
    )


def ours(vectors: np.ndarray, owner: np.ndarray) -> Answer:
    found = retrieval(vectors, owner, np.ones(len(owner), dtype=np.bool_))
    assert found is not None
    return found.precision_at_1.value, found.map_at_r.value


def full_sort(vectors: np.ndarray, owner: np.ndarray) -> Answer:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return score(np.argsort(-cosine, axis=1)[:, : PER_PERSON - 1], owner)


def scikit_learn(vectors: np.ndarray, owner: np.ndarray) -> Answer:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=PER_PERSON - 1, algorithm="brute", metric="cosine").fit(vectors)
    return score(index.kneighbors(return_distance=False), owner)


PATHS: dict[str, Callable[[np.ndarray, np.ndarray], Answer]] = {
    "ours": ours,
    "N x N argsort": full_sort,
    "sklearn NearestNeighbors": scikit_learn,
}


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(name: str) -> tuple[float, int, Answer]:
    """Least seconds, bytes above what was there before, and the answer, of one path."""
    import sklearn.neighbors  # noqa: F401  its import is nobody's time or memory

    vectors, owner = embeddings()
    PATHS[name](vectors[:200], owner[:200])
    before, times = peak_bytes(), []
    for _ in range(REPEATS):
        started = time.perf_counter()
        answer = PATHS[name](vectors, owner)
        times.append(time.perf_counter() - started)
    return min(times), max(peak_bytes() - before, 1), answer


def main() -> None:
    rows = report.Rows(report.parser(__doc__, quick="the same: it takes half a minute").parse_args())
    found = {}
    for name in PATHS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(run, (name,))
    seconds, memory, answer = found["ours"]
    print(f"{SAMPLES} samples of {SAMPLES // PER_PERSON} people, {DIMENSIONS} dimensions")
    print(
        f"ours, with intervals: {seconds:.2f} s, {memory / 2**20:.0f} MiB; P@1 {answer[0]:.4f}, MAP@R {answer[1]:.4f}"
    )
    for name, (other, other_memory, theirs) in found.items():
        if name != "ours":
            assert np.allclose(theirs, answer, atol=1e-3)
            print(
                f"  {other / seconds:5.1f}x faster than {name} ({other:.2f} s), "
                f"at 1/{other_memory / memory:.0f} of its memory ({other_memory / 2**20:.0f} MiB)"
            )
            for unit, mine, its in (("s, least", seconds, other), ("MiB, peak", memory / 2**20, other_memory / 2**20)):
                rows.add(
                    f"precision@1 and MAP@R of {SAMPLES:,} embeddings",
                    ours=mine,
                    baseline=its,
                    against=name,
                    unit=unit,
                    n=REPEATS if unit.startswith("s") else 1,
                )


if __name__ == "__main__":
    main()
