"""Bulk enrolment over one stream against the encoder alone in its best batch, on the same machine in the same run.

    python benchmarks/bench_bulk.py --people 400 --samples 5 --rounds 5

The service is a process of its own with an SQLite file: every person answered is on the disk, with an entry in the
audit log. The client is this process, so that both share the processors. The baseline is what is left if everything but
the network is taken away: prepared inputs, no decoding, the batch size at which it is fastest; the second is with
decoding. Rounds of both alternate. With --alone each person is enrolled by a call of its own, one after the other.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import report
from bench_verify import BUNDLE, picture
from encode.encoder import Encoder
from encode.sample import ImageSample, Modality
from verify.client.batch_items import EnrollItem, VerifyItem
from verify.client.client import Client
from verify.model import load_models

BATCHES = (4, 8, 16, 32, 64)
PICTURES = 256
"""Different images; what they show does not change the time."""


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """``host:port`` of a service with the default settings, and a database in `folder`."""
    command = [sys.executable, "-m", "countersign", "serve", "--port", "0", "--model", str(BUNDLE)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    environment["COUNTERSIGN_DATABASE"] = str(folder / "people.sqlite")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield f"127.0.0.1:{_port(folder / 'log', process)}"
        finally:
            process.terminate()
            process.wait(60)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    import json

    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and (told := json.loads(line)).get("event") == "serving":
                return int(told["port"])
        time.sleep(0.05)
    raise SystemExit(log.read_text(encoding="utf-8"))


def network_rate(encoder: Encoder, inputs: np.ndarray, batch: int, rows: int) -> float:
    """Prepared inputs through the network in batches: rows a second."""
    started, done = time.perf_counter(), 0
    while done < rows:
        encoder.embed_prepared(inputs[:batch])
        done += batch
    return done / (time.perf_counter() - started)


def decoded_rate(encoder: Encoder, samples: Sequence[ImageSample], batch: int, rows: int) -> float:
    """Images decoded and put through the network in batches: rows a second."""
    started, done = time.perf_counter(), 0
    while done < rows:
        encoder.embed(samples[:batch])
        done += batch
    return done / (time.perf_counter() - started)


def items(pictures: Sequence[ImageSample], people: int, samples: int, prefix: str) -> Iterator[EnrollItem]:
    for person in range(people):
        chosen = [pictures[(person * samples + shot) % len(pictures)] for shot in range(samples)]
        yield EnrollItem("bulk", f"{prefix}-{person}", chosen)


def enrolled_rate(client: Client, work: Iterator[EnrollItem], *, alone: bool) -> float:
    """Samples enrolled a second. Raises SystemExit if one was not."""
    started, done = time.perf_counter(), 0
    if alone:
        for item in work:
            answer = client.enroll(item.collection, item.person, item.samples)
            done += sum(outcome.accepted for outcome in answer.outcomes)
    else:
        for result in client.enroll_batch(work):
            if result.answer is None:
                raise SystemExit(f"not enrolled: {result.error}")
            done += sum(outcome.accepted for outcome in result.answer.outcomes)
    return done / (time.perf_counter() - started)


def verified_rate(client: Client, pictures: Sequence[ImageSample], people: int) -> float:
    """Claims decided a second, one sample each."""
    claims = (VerifyItem("bulk", f"0-{n}", [pictures[n % len(pictures)]]) for n in range(people))
    started, done = time.perf_counter(), 0
    for result in client.verify_batch(claims):
        if result.answer is None:
            raise SystemExit(f"not decided: {result.error}")
        done += 1
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = report.parser(__doc__, quick="120 people, 3 rounds")
    parser.add_argument("--people", type=int, default=400, help="enrolled in a round")
    parser.add_argument("--samples", type=int, default=5, help="of each person")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="a call for each person, one after the other")
    options: argparse.Namespace = parser.parse_args()
    people, rounds = (120, 3) if options.quick else (options.people, options.rounds)
    rows = report.Rows(options)

    pictures = [picture(seed) for seed in range(PICTURES)]
    encoder = load_models([BUNDLE])[Modality.FACE].encoder
    inputs = np.stack([encoder.prepare(one) for one in pictures[: max(BATCHES)]])
    count = people * options.samples
    batch = max(BATCHES, key=lambda size: network_rate(encoder, inputs, size, 256))
    told: dict[str, list[float]] = {"network": [], "decoded": [], "enrolled": [], "decided": []}
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as address, Client(address) as client:
        enrolled_rate(client, items(pictures, 8, options.samples, "warm-up"), alone=options.alone)
        for number in range(rounds):
            told["network"].append(network_rate(encoder, inputs, batch, count))
            work = items(pictures, people, options.samples, str(number))
            told["enrolled"].append(enrolled_rate(client, work, alone=options.alone))
            told["decoded"].append(decoded_rate(encoder, pictures, batch, count))
            told["decided"].append(verified_rate(client, pictures, people))
    print(
        f"{rounds} rounds of {people} people with {options.samples} samples each; batches of {batch} for the baselines"
    )
    for name, rates in told.items():
        low, middle, high = report.quartiles(rates)
        print(f"  {name:>9}: {middle:7.1f} a second ({low:.1f} to {high:.1f})")
    for ours, against, words, least in (
        ("enrolled", "network", "the network alone in its best batch", None),
        ("enrolled", "decoded", "decoding and the network in its best batch", 0.8),
        ("decided", "decoded", "decoding and the network in its best batch", None),
    ):
        low, middle, high = report.quartiles([a / b for a, b in zip(told[ours], told[against], strict=True)])
        what = "Bulk enroll" if ours == "enrolled" else "Bulk verify"
        print(f"{what} / {words}: {middle:.2f}x ({low:.2f} to {high:.2f})")
        rows.add(
            f"{what}, samples a second",
            ours=float(np.median(told[ours])),
            baseline=float(np.median(told[against])),
            against=words,
            unit="1/s, median",
            n=rounds,
            low=low,
            high=high,
            at_least=least,
        )


if __name__ == "__main__":
    main()
