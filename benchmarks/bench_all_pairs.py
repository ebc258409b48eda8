"""All-versus-all scoring against the bare float32 matrix product of the same shape, in one run, and what it holds.

    1. 10⁸ and 10⁹ comparisons of 128 values, pooled Gaussian, FRR at FAR 10⁻⁶ among the results: share of the bare
       product's throughput (same blocks, same threads, output reused), and peak memory, each size in a fresh process
    2. one worker and two give the same counts
    3. the cost of every kind of Gaussian; not with --quick, which leaves 10⁹ out as well

python benchmarks/bench_all_pairs.py
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import report
from encode.manifest import IdentitySpec
from enroll.identity import IdentityModel
from eval.allpairs.prepare import Prepared, prepare
from eval.allpairs.rates import Rates
from eval.allpairs.schedule import sketches
from eval.allpairs.sketch import ScoreSketch, merged
from eval.allpairs.task import SAMPLES, TEMPLATES

D, PER_PERSON, WORKERS = 128, 5, 2
SIZES = {"10^8": 10_000, "10^9": 31_623}
KINDS = {"pooled": 1, "diagonal_map": 1, "spherical": 3, "diagonal": 3, "map": 3, "full_oas": 3, "full_ledoit_wolf": 3}


def made(samples: int, kind: str, references: int, draws: int = 1) -> Prepared:
    """Synthetic embeddings: people apart, samples scattered by a covariance that is not a multiple of the identity."""
    generator = np.random.default_rng(7)
    owner = (np.arange(samples) // PER_PERSON).astype(np.int32)
    spread = np.linspace(0.8, 1.3, D)
    centres = generator.normal(size=(owner[-1] + 1, D)).astype(np.float32)
    x = centres[owner] + generator.normal(size=(samples, D)).astype(np.float32) * spread.astype(np.float32)
    within = np.diag(spread**2)
    background = {"mean": np.zeros(D), "total": within + np.eye(D), "within": within}
    model = IdentityModel(IdentitySpec(kind=kind), background)
    return prepare(model, x, owner, tuple(map(str, range(owner[-1] + 1))), references=references, draws=draws)


def scored(run: Prepared, workers: int) -> tuple[float, ScoreSketch]:
    """Seconds and the sketch of all comparisons."""
    started = time.perf_counter()
    total = merged(sketches(run.work, range(run.work.groups), workers=workers))
    return time.perf_counter() - started, total


def bare(samples: int, templates: int, workers: int) -> float:
    """Seconds of the matrix product (samples, D) × (D, templates) in the same blocks, each block thrown away."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(samples, D)).astype(np.float32)
    y = generator.normal(size=(templates, D)).astype(np.float32)

    def work(number: int) -> None:
        block = np.empty(SAMPLES * TEMPLATES, np.float32)
        for first in range(number * TEMPLATES, templates, workers * TEMPLATES):
            columns = y[first : first + TEMPLATES].T
            for top in range(0, samples, SAMPLES):
                rows = x[top : top + SAMPLES]
                np.matmul(rows, columns, out=block[: len(rows) * columns.shape[1]].reshape(len(rows), -1))

    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    return time.perf_counter() - started


def one_size(samples: int) -> dict[str, Any]:
    """Everything about one size, measured in this process."""
    run = made(samples, "pooled", 1)
    sketches_of_little = made(200, "pooled", 1)
    scored(sketches_of_little, 1)  # compiles
    ours, product = [], []
    repeats = 9 if samples < 20_000 else 2
    for _ in range(repeats):  # alternating, so that a slow minute hits both
        product.append(bare(samples, samples, WORKERS))
        seconds, total = scored(run, WORKERS)
        ours.append(seconds)
    rates = Rates(total, run.work.grid)
    threshold = rates.threshold_at_far(1e-6)
    false_rejects, exact = rates.false_rejects(threshold)
    return {
        "comparisons": samples * samples,
        "repeats": repeats,
        "seconds": min(ours),
        "bare": min(product),
        "ratio": min(product) / min(ours),
        "frr": false_rejects / rates.genuine_trials,
        "exact": exact,
        "score_error": run.work.grid.width,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "same": scored(run, 1)[1] == total if samples < 20_000 else None,
    }


def main() -> None:
    parser = report.parser(__doc__, quick="only 10⁸ comparisons")
    parser.add_argument("--samples", type=int)
    options = parser.parse_args()
    if options.samples:
        print(json.dumps(one_size(options.samples)))
        return
    rows = report.Rows(options)
    print(f"all versus all, {D} values, pooled Gaussian, {WORKERS} threads")
    for name, samples in list(SIZES.items())[: 1 if options.quick else None]:
        output = subprocess.run(
            [sys.executable, __file__, "--samples", str(samples)], check=True, capture_output=True, text=True
        ).stdout
        found = json.loads(output)
        a_second = found["comparisons"] / found["seconds"] / 1e6
        print(
            f"  {name}: {found['seconds']:.2f} s, {a_second:,.0f} million a second, "
            f"{found['ratio']:.2f} of the bare product ({found['bare']:.2f} s); peak {found['peak_mib']:.0f} MiB; "
            f"FRR at FAR 1e-6 {100 * found['frr']:.2f} % ({'exact' if found['exact'] else 'bound'}); "
            f"bin {found['score_error']:.4f} nats"
        )
        rows.add(
            f"all versus all, {name} comparisons",
            ours=a_second,
            baseline=found["comparisons"] / found["bare"] / 1e6,
            against="the bare float32 matrix product of that shape",
            unit="million comparisons a second",
            n=found["repeats"],
        )
        if found["same"] is not None:
            assert found["same"]
            print("        one worker and two: the same counts")
    if options.quick:
        return
    print("cost of every kind, 4·10⁷ comparisons or so, against the bare product of that shape")
    scored(made(200, "map", 3), 1)
    for kind, references in KINDS.items():
        run = made(9_000, kind, references, draws=1 if references == 1 else 3)
        shape = (len(run.work.features), len(run.work.owner))
        seconds, _ = scored(run, WORKERS)
        print(
            f"  {kind:<17} {references} references: {shape[0]} × {shape[1]}, {seconds:.2f} s, "
            f"{bare(*shape, WORKERS) / seconds:.2f} of the bare product, {int(run.work.dense.sum())} templates dense"
        )


if __name__ == "__main__":
    main()
