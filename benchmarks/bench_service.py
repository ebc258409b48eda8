"""Verify as shipped against a bare grpc.aio server, in turns in the same run, with 32 clients and with one.

    python benchmarks/bench_service.py [--rounds 20] [--seconds 2] [--modality face signature]

    ours    `countersign serve` as shipped: SQLite, encryption, audit log on the disk, limits and log; one process
            (`--workers 1`) and one a processor. Lock-outs and the rate limit are off: they would refuse the load.
    bare    reads the same message, decodes the same sample and runs the same ONNX session, and nothing else
            (`load/bare.py`), with one thread an inference and with all

Each is a process (tree) of its own; so is the generator, whose clients call, wait and call again. In every round each
server is loaded for `--seconds`, in an order that rotates; a ratio is taken within a round, against whichever bare
server was the faster for that number of clients over all rounds. Told are medians of the rounds and quartiles; p99
also over all calls together. A call's processor time is that of all processes of a server.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

# As `countersign serve` sets it; children inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import report
from durability.service_process import Place, Service
from encode.cpu import usable_cpus
from encode.sample import Modality
from load.bare import bare_server
from load.claims import BUNDLES, claims, enroll
from load.generator import Generator, generator
from load.outcome import Outcome
from load.processes import processor_ms

CLIENTS = (32, 1)
BARE_CONCURRENCY = 4
"""Calls at once in the bare server: enough for every processor, and more makes it slower."""

Measure = Callable[[Outcome], float]


@dataclass(slots=True)
class Server:
    """One of those compared, and what it did with the present number of clients."""

    name: str
    address: str
    pid: int
    rounds: list[Outcome] = field(default_factory=list)
    spent_ms: list[float] = field(default_factory=list)

    def per_round(self, measure: Measure) -> list[float]:
        return [measure(outcome) for outcome in self.rounds]

    def median(self, measure: Measure) -> float:
        return float(np.median(self.per_round(measure)))

    @property
    def calls(self) -> int:
        return sum(outcome.answered for outcome in self.rounds)

    def told(self) -> str:
        together = sum(self.rounds[1:], self.rounds[0])
        spent = sum(self.spent_ms) / self.calls
        return (
            f"{self.median(lambda one: one.rate):7.1f} calls/s, p50 {self.median(p50):6.2f} ms, "
            f"p99 {self.median(p99):6.2f} ms (all together {together.ms(0.99):6.2f}), processor {spent:5.2f} ms a call"
        )


def p50(outcome: Outcome) -> float:
    return outcome.ms(0.5)


def p99(outcome: Outcome) -> float:
    return outcome.ms(0.99)


def rate(outcome: Outcome) -> float:
    return outcome.rate


def started(modality: Modality, folder: Path, stack: ExitStack) -> tuple[list[Server], list[Server]]:
    """Ours and the bare ones, with people enrolled, until `stack` is closed."""
    bundle, processors = BUNDLES[modality], usable_cpus()
    ours, bare = [], []
    for workers in sorted({1, processors}):
        place = Place(str(folder / f"{modality}-{workers}.sqlite"), str(folder / f"{modality}-{workers}.keys"), None)
        flags = ["--workers", str(workers), "--threads", str(processors)]
        service = Service(place, bundle, folder / f"{modality}-{workers}.log", flags=flags)
        stack.callback(service.stop)
        address, _ = service.ready()
        enroll(address, modality)
        ours.append(Server(f"ours, --workers {workers}", address, service.process.pid))
    for threads in sorted({1, processors}):
        address, pid = stack.enter_context(bare_server(bundle, threads=threads, concurrency=BARE_CONCURRENCY))
        bare.append(Server(f"bare, {threads} thread{'s'[: threads > 1]} an inference", address, pid))
    return ours, bare


def load_in_turns(
    servers: Sequence[Server], load: Generator, bodies: Sequence[bytes], clients: int, rounds: int, seconds: float
) -> None:
    """Fill `rounds` and `spent_ms` of each server anew."""
    for server in servers:
        server.rounds, server.spent_ms = [], []
    for turn in range(-1, rounds):
        at = turn % len(servers)
        for server in [*servers[at:], *servers[:at]]:
            before = processor_ms(server.pid)
            outcome = load.closed(server.address, bodies, clients=clients, seconds=seconds)
            if set(outcome.codes) != {"OK"}:
                raise RuntimeError(f"{server.name}: {dict(outcome.codes)}")
            if turn >= 0:  # the first is to warm up
                server.rounds.append(outcome)
                server.spent_ms.append(processor_ms(server.pid) - before)


def compare(
    modality: Modality, ours: Sequence[Server], bare: Sequence[Server], clients: int, rows: report.Rows
) -> None:
    best = max(bare, key=lambda one: one.median(rate))
    print(f"{modality}, {clients} client{'s'[: clients > 1]}; bare to compare with: {best.name}")
    for server in (*ours, *bare):
        print(f"   {server.name:32} {server.told()}")
    claims_of = {
        "throughput": (rate, "calls/s", {"at_least": 0.85} if clients > 1 else {}),
        "p50": (p50, "ms", {"at_most": 1.25} if clients == 1 else {}),
        "p99": (p99, "ms", {"at_most": 1.5} if clients > 1 else {}),
    }
    for server in ours:
        flags = server.name.removeprefix("ours, ")
        for what, (measure, unit, claimed) in claims_of.items():
            pairs = zip(server.per_round(measure), best.per_round(measure), strict=True)
            low, middle, high = report.quartiles([one / other for one, other in pairs])
            baseline = best.median(measure)
            row = rows.add(
                f"Verify {modality}, {clients} client{'s'[: clients > 1]}, {what}, {flags}",
                ours=middle * baseline,
                baseline=baseline,
                against="bare grpc.aio with the same decoding and session",
                unit=f"{unit}; ratio: median of rounds",
                n=min(server.calls, best.calls),
                low=low,
                high=high,
                at_least=claimed.get("at_least"),
                at_most=claimed.get("at_most"),
            )
            held = "" if row.holds is None else f", claimed {claimed}: {'yes' if row.holds else 'no'}"
            print(f"   {server.name:20} {what:10} {middle:.3f} of bare (quartiles {low:.3f}, {high:.3f}){held}")


def main() -> None:
    parser = report.parser(__doc__, quick="3 rounds of half a second")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load for each server in each round")
    parser.add_argument("--modality", nargs="+", type=Modality, choices=list(BUNDLES), default=list(BUNDLES))
    options = parser.parse_args()
    rounds, seconds = (3, 0.5) if options.quick else (options.rounds, options.seconds)
    rows = report.Rows(options)
    for modality in options.modality:
        with tempfile.TemporaryDirectory() as folder, generator() as load, ExitStack() as stack:
            ours, bare = started(modality, Path(folder), stack)
            for clients in CLIENTS:
                load_in_turns((*ours, *bare), load, claims(modality), clients, rounds, seconds)
                compare(modality, ours, bare, clients, rows)


if __name__ == "__main__":
    main()
