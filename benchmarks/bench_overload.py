"""Ten times as many claims as can be answered: what admitted ones wait, what is still answered, and what it leaves.

    python benchmarks/bench_overload.py [--seconds 60] [--times 10] [--modality face]

    capacity    answers a second to clients who call, wait and call again
    unloaded    arrivals of a Poisson process at half of the capacity: the p99 to compare with
    overload    Poisson arrivals at `--times` the capacity, for `--seconds`
    recovered   half of the capacity again, at once

The service (`countersign serve` with SQLite, encryption, audit and log) has one processor to itself; the generator and
the probe of health have another, so that what it takes to send so much is not taken from the service. A latency
counts from when a claim was due, so the generator's own lag is in it; how much that is, is told. The service runs with
what one would set for short answers: `FLAGS`. Health is asked four times a second throughout the overload, and one
refused claim is looked at for its RetryInfo.
"""

import os
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import report
from durability.service_process import Place, Service
from encode.sample import Modality
from load.claims import BUNDLES, claims, enroll
from load.generator import VERIFY, generator
from load.outcome import Outcome
from load.processes import begun_on, rss_mib
from verify.client.client import Client

FLAGS = ("--concurrency", "2", "--max-waiting", "2", "--max-wait", "0.05")
"""Two calls at once, so that one decodes while the other waits for the disk, and two more behind them."""

CLIENTS = 32
HEALTH_SECONDS = 0.25


class Watch(threading.Thread):
    """Asks for health, and for the service's memory, until it is ended; and for one claim until it is refused."""

    def __init__(self, address: str, pid: int, body: bytes) -> None:
        super().__init__()
        self._address, self._pid, self._body = address, pid, body
        self._ended = threading.Event()
        self.health_ms: list[float] = []
        self.unanswered = 0
        self.rss: list[float] = []
        self.retry_seconds: float | None = None

    def run(self) -> None:
        with Client(self._address, timeout=5.0) as client:
            claim: grpc.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(VERIFY)
            while not self._ended.wait(HEALTH_SECONDS):
                began = time.perf_counter()
                try:
                    healthy = client.healthy()
                except Exception:  # noqa: BLE001 - counted, whatever it is
                    healthy = False
                self.unanswered += not healthy
                self.health_ms.append(1e3 * (time.perf_counter() - began))
                self.rss.append(rss_mib(self._pid))
                if self.retry_seconds is None:
                    self.retry_seconds = _refused(claim, self._body)

    def end(self) -> None:
        self._ended.set()
        self.join()


def _refused(claim: "grpc.UnaryUnaryMultiCallable[bytes, bytes]", body: bytes) -> float | None:
    """Seconds of the RetryInfo of a refusal; None if it was answered, or refused without."""
    try:
        claim(body, timeout=5.0)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        retry = error_details_pb2.RetryInfo()
        if status is None or not any(detail.Unpack(retry) for detail in status.details):
            return None
        return float(retry.retry_delay.ToTimedelta().total_seconds())
    return None


def told(name: str, outcome: Outcome) -> None:
    print(
        f"{name:10} {outcome.sent / outcome.seconds:7.1f} sent/s, {outcome.rate:6.1f} answered/s, p50 "
        f"{outcome.ms(0.5):6.2f} ms, p99 {outcome.ms(0.99):6.2f} ms, {dict(outcome.codes)}, sent "
        f"{1e3 * outcome.lag:.2f} ms late (p99)",
        flush=True,
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """`capacity` in calls a second; `rss` in mebibytes, before and after."""

    capacity: float
    unloaded: Outcome
    overload: Outcome
    recovered: Outcome
    watch: Watch
    rss: tuple[float, float]


def measure(modality: Modality, seconds: float, times: float) -> Measured:
    processors = sorted(os.sched_getaffinity(0))
    ours, others = {processors[0]}, {processors[-1]}
    if ours == others:
        print("one processor only: the generator takes from the service what it needs")
    bodies = claims(modality)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        place = Place(str(folder / "store.sqlite"), str(folder / "store.keys"), None)
        with begun_on(ours):
            service = Service(place, BUNDLES[modality], folder / "log", flags=FLAGS)
        stack.callback(service.stop)
        stack.enter_context(begun_on(others))
        load = stack.enter_context(generator())
        address, _ = service.ready()
        enroll(address, modality)

        capacities = [load.closed(address, bodies, clients=4, seconds=seconds / 12) for _ in range(4)][1:]
        capacity = float(np.median([one.rate for one in capacities]))
        print(f"capacity {capacity:.1f} calls/s with {' '.join(FLAGS)}")
        load.open(address, bodies, rate=capacity / 2, seconds=2.0, clients=CLIENTS)  # connects, and warms up
        unloaded = load.open(address, bodies, rate=capacity / 2, seconds=seconds / 2, clients=CLIENTS, seed=1)
        told("unloaded", unloaded)
        before = rss_mib(service.process.pid)
        watch = Watch(address, service.process.pid, bodies[0])
        watch.start()
        overload = load.open(address, bodies, rate=times * capacity, seconds=seconds, clients=CLIENTS, seed=2)
        watch.end()
        recovered = load.open(address, bodies, rate=capacity / 2, seconds=seconds / 2, clients=CLIENTS, seed=3)
        after = rss_mib(service.process.pid)
        told("overload", overload)
        told("recovered", recovered)
    return Measured(capacity, unloaded, overload, recovered, watch, (before, after))


def conclude(measured: Measured, rows: report.Rows) -> None:
    unloaded, overload, recovered = measured.unloaded, measured.overload, measured.recovered
    watch, seconds = measured.watch, overload.seconds
    if set(overload.codes) - {"OK", "RESOURCE_EXHAUSTED"}:
        print(f"not as it should be: {dict(overload.codes)}")
    health_p99, asked = float(np.quantile(watch.health_ms, 0.99)), len(watch.health_ms)
    print(
        f"health     answered {asked - watch.unanswered} of {asked}, p99 {health_p99:.1f} ms; a refused claim "
        f"is told to come again after {watch.retry_seconds} s"
    )
    before, after = measured.rss
    print(f"memory     {before:.1f} MiB before, {max(watch.rss):.1f} at most meanwhile, {after:.1f} after")
    ratios = {
        "p99 of admitted claims": (overload.ms(0.99), unloaded.ms(0.99), "at half of capacity", "ms", {"at_most": 2.0}),
        "goodput": (overload.rate, measured.capacity, "capacity, closed loop", "calls/s", {"at_least": 0.9}),
        "p99 after it": (recovered.ms(0.99), unloaded.ms(0.99), "before it", "ms", {"at_most": 2.0}),
        "memory": (after, before, "before it", "MiB", {"at_most": 1.1}),
        "health answered": (
            asked - watch.unanswered,
            asked,
            "times asked",
            "answers",
            {"at_least": 1.0},
        ),
    }
    for what, (ours, baseline, against, unit, claimed) in ratios.items():
        row = rows.add(
            f"Overload at {overload.sent / seconds / measured.capacity:.0f} times capacity, {what}",
            ours=ours,
            baseline=baseline,
            against=against,
            unit=unit,
            n=overload.answered,
            at_least=claimed.get("at_least"),
            at_most=claimed.get("at_most"),
        )
        print(f"{what:24} {row.ratio:.3f} of {against}, claimed {claimed}: {'yes' if row.holds else 'no'}")


def main() -> None:
    parser = report.parser(__doc__, quick="ten seconds of overload")
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload")
    parser.add_argument("--times", type=float, default=10.0, help="the capacity")
    parser.add_argument("--modality", type=Modality, choices=list(BUNDLES), default=Modality.FACE)
    options = parser.parse_args()
    rows = report.Rows(options)
    conclude(measure(options.modality, 10.0 if options.quick else options.seconds, options.times), rows)


if __name__ == "__main__":
    main()
