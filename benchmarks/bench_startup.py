"""How long `countersign serve` takes until it answers with 100,000 people enrolled, and what it takes in memory.

    python benchmarks/bench_startup.py [--people 100000] [--starts 7] [--keep FOLDER]

From the start of the process until health says SERVING, as shipped on SQLite, in turns: with nobody enrolled, with
everybody, and with everybody and `--identify on`, whose gallery is built while the service answers already. Memory is
told at that moment and after 200 claims of different people; at the first start with a gallery it is waited for before.
"""

import argparse
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import report
from bench_verify import BUNDLE, picture
from crowd.running import running
from crowd.writing import COLLECTION, crowd, name
from encode.errors import TryLater
from encode.sample import Modality
from verify.client.client import Client
from verify.model import load_models

CALLS = 200
MOST_SECONDS = 2.0
MOST_MIB = 300.0


@dataclass
class Kind:
    """One way to start, and what its starts took: seconds, and MiB at SERVING and after the calls."""

    words: str
    file: Path
    flags: tuple[str, ...] = ()
    seconds: list[float] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    then: list[float] = field(default_factory=list)
    gallery: float | None = None

    def start(self, people: int) -> None:
        with running(self.file, *self.flags) as service:
            self.seconds.append(service.seconds)
            self.begun.append(service.resident())
            with Client(service.address, timeout=60) as client:
                if self.flags and self.gallery is None:
                    began = time.perf_counter()
                    identify(client)
                    self.gallery = time.perf_counter() - began
                if people:
                    for one in np.random.default_rng(people).permutation(people)[:CALLS].tolist():
                        client.verify(COLLECTION, name(one), [picture(9)])
            self.then.append(service.resident())


def identify(client: Client) -> None:
    """Ask until the gallery is built."""
    while True:
        try:
            client.identify(COLLECTION, [picture(9)])
        except TryLater:
            time.sleep(0.02)
        else:
            return


def main() -> None:
    parser = report.parser(__doc__, quick="3 starts of each, 20,000 people")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--starts", type=int, default=7, help="of each kind")
    parser.add_argument("--keep", type=Path, help="folder in which the stores stay, and are found again")
    options: argparse.Namespace = parser.parse_args()
    rows = report.Rows(options)
    people, starts = (20_000, 3) if options.quick else (options.people, options.starts)

    model = load_models([BUNDLE])[Modality.FACE]
    kept = tempfile.TemporaryDirectory() if options.keep is None else nullcontext(options.keep)
    with kept as folder:
        nobody = Kind("nobody", crowd(Path(folder) / "crowd-0", model, 0))
        full = crowd(Path(folder) / f"crowd-{people}", model, people)
        everybody = Kind(f"{people} people", full)
        searched = Kind(f"{people} people, --identify on", full, ("--identify", "on"))
        kinds = (nobody, everybody, searched)
        for number in range(starts):
            for kind in kinds[number % 3 :] + kinds[: number % 3]:
                kind.start(0 if kind is nobody else people)
    print(f"{starts} starts of each kind, in turns")
    for kind in kinds:
        print(
            f"  {kind.words}: SERVING after {np.median(kind.seconds):.2f} s, at worst {max(kind.seconds):.2f} s; "
            f"resident {np.median(kind.begun):.0f} MiB then, {np.median(kind.then):.0f} MiB after the calls"
        )
        if kind.gallery is not None:
            print(f"    at its first start the gallery was complete {kind.gallery:.1f} s later: {kind.then[0]:.0f} MiB")
    for kind in (everybody, searched):
        low, _, high = report.quartiles([a / b for a, b in zip(kind.seconds, nobody.seconds, strict=True)])
        rows.add(
            f"Start until SERVING, {kind.words}",
            ours=float(np.median(kind.seconds)),
            baseline=float(np.median(nobody.seconds)),
            against="nobody enrolled",
            unit="s, median",
            n=starts,
            low=low,
            high=high,
        )
        rows.add(
            f"Start until SERVING, worst, {kind.words}",
            ours=max(kind.seconds),
            baseline=MOST_SECONDS,
            against="the limit",
            unit="s, worst",
            n=starts,
            at_most=1.0,
        )
        rows.add(
            f"Resident memory after {CALLS} claims, {kind.words}",
            ours=max(kind.then),
            baseline=MOST_MIB,
            against="the limit",
            unit="MiB, most",
            n=starts,
            at_most=1.0,
        )


if __name__ == "__main__":
    main()
