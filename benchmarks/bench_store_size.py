"""Verify over a store of a million people against one of a thousand, and what a person takes in memory and on disk.

    python benchmarks/bench_store_size.py [--people 1000 1000000] [--keep FOLDER]

Two services as shipped, each a process with an SQLite file of its own. One client claims people in random order, nobody
twice, so that nobody is kept ready from an earlier claim; the services take turns, a block of calls each. The people
are written in bulk at first, sealed as at enrolment (minutes for a million; `--keep` keeps them for the next run).

Memory is told as the difference of both services' resident memory after the same calls, divided by the difference of
their people; the files are in the system's cache, which is not theirs.
"""

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

import report
from bench_verify import BUNDLE, picture
from crowd.running import running
from crowd.writing import COLLECTION, crowd, disk_bytes, name
from encode.sample import ImageSample, Modality
from verify.client.client import Client
from verify.model import load_models

BLOCK = 25
MOST_BYTES = 1_536
"""A person in memory, when not cached."""


def block_ms(client: Client, people: list[int], probe: ImageSample) -> list[float]:
    """Milliseconds of one claim of each."""
    times = []
    for one in people:
        began = time.perf_counter()
        client.verify(COLLECTION, name(one), [probe])
        times.append(1e3 * (time.perf_counter() - began))
    return times


def turns(clients: tuple[Client, Client], sizes: tuple[int, int], calls: int) -> tuple[list[float], list[list[float]]]:
    """Ratios of the medians of neighbouring blocks, and all times of the few and of the many."""
    probe = picture(9)
    chosen = [np.random.default_rng(size).permutation(size)[:calls].tolist() for size in sizes]
    times: list[list[float]] = [[], []]
    ratios = []
    for number, begin in enumerate(range(0, calls, BLOCK)):
        medians = {}
        for side in (0, 1) if number % 2 else (1, 0):
            took = block_ms(clients[side], chosen[side][begin : begin + BLOCK], probe)
            medians[side] = float(np.median(took))
            if number:  # the first block warms up
                times[side].extend(took)
        if number:
            ratios.append(medians[1] / medians[0])
    return ratios, times


def main() -> None:
    parser = report.parser(__doc__, quick="20,000 people in place of a million")
    parser.add_argument("--people", type=int, nargs=2, default=(1_000, 1_000_000), metavar=("FEW", "MANY"))
    parser.add_argument("--calls", type=int, default=1_000, help="of each service, at most as many as the few")
    parser.add_argument("--keep", type=Path, help="folder in which the stores stay, and are found again")
    options: argparse.Namespace = parser.parse_args()
    rows = report.Rows(options)
    few, many = (options.people[0], 20_000) if options.quick else options.people
    calls = min(options.calls, few)

    model = load_models([BUNDLE])[Modality.FACE]
    kept = tempfile.TemporaryDirectory() if options.keep is None else nullcontext(options.keep)
    with kept as folder:
        files = [crowd(Path(folder) / f"crowd-{count}", model, count) for count in (few, many)]
        disk = [disk_bytes(file) for file in files]
        with (
            running(files[0]) as small,
            running(files[1]) as large,
            Client(small.address) as first,
            Client(large.address) as second,
        ):
            started = [one.resident() for one in (small, large)]
            ratios, times = turns((first, second), (few, many), calls)
            resident = [one.resident() for one in (small, large)]
    low, middle, high = report.quartiles(ratios)
    medians = [float(np.median(side)) for side in times]
    tails = [float(np.quantile(side, 0.99)) for side in times]
    print(f"{len(times[0])} calls of each service, nobody claimed twice")
    for count, median, tail, begun, now in zip((few, many), medians, tails, started, resident, strict=True):
        print(
            f"  {count:>9} people: p50 {median:.2f} ms, p99 {tail:.2f} ms; "
            f"resident {begun:.0f} MiB at the start, {now:.0f} MiB then"
        )
    print(
        f"p50 of the many / of the few: {medians[1] / medians[0]:.2f} (blocks: {middle:.2f}, {low:.2f} to {high:.2f})"
    )
    rows.add(
        f"Verify, one client, {many} people enrolled",
        ours=medians[1],
        baseline=medians[0],
        against=f"the same with {few} people",
        unit="ms, p50",
        n=len(times[0]),
        low=low,
        high=high,
        at_most=1.15,
    )
    memory = max(0.0, 2**20 * (resident[1] - resident[0]) / (many - few))
    on_disk = (disk[1] - disk[0]) / (many - few)
    vectors = 4 * model.encoder.embedding_size * 5
    print(f"resident memory a person: {memory:.0f} B; on disk: {on_disk:.0f} B, of which {vectors} B are references")
    rows.add(
        f"Resident memory a person not cached, {many} people",
        ours=memory,
        baseline=MOST_BYTES,
        against="the limit",
        unit="B",
        n=1,
        at_most=1.0,
    )
    rows.add(
        "Size on disk a person",
        ours=on_disk,
        baseline=vectors,
        against="five float32 references",
        unit="B",
        n=1,
    )


if __name__ == "__main__":
    main()
