"""What metrics and logs cost: Verify with each against Verify with neither, in turns in the same run.

    python benchmarks/bench_observability.py [--rounds 40] [--seconds 0.5] [--clients 1 32]

Services in processes of their own, with `models/face` and a store in memory, so that nothing waits for a disk:

    neither     no metrics, no log
    metrics     counted, and collected over HTTP once a second
    files       counted into memory-mapped files, as worker processes do (the parent collects those)
    log         a line of JSON for each call, into a file
    both        metrics and log

In every round each is loaded for `--seconds`, in an order that rotates; a ratio is taken within a round against
`neither` of that round. Told are the median of the rounds and their quartiles; and likewise of the processor time of a
call, which throughput follows from once the processors are busy, and which other work on the machine hardly changes.
"""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.request import urlopen

# As `countersign serve` sets it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import report
from bench_verify import BUNDLE, picture
from enroll.stores.memory import MemoryStore
from load.child import Service, service, tell
from load.generator import Generator, generator
from verify.client.client import Client
from verify.logging import configure_logging
from verify.messages import write_sample
from verify.metrics import Metrics
from verify.model import load_models
from verify.server_thread import serving
from verify.settings import SHARED_METRICS, ServiceSettings
from verify.v1 import verification_pb2 as pb

KINDS = ("neither", "metrics", "files", "log", "both")
PEOPLE, REFERENCES = 20, 5
COLLECTION = "bench"


def serve(kind: str, folder: str, threads: int, parent: Connection) -> None:
    """A service of one kind in this process: its address goes to `parent`, who then says when to stop."""
    settings = ServiceSettings(port=0, access="open", max_waiting=256, metrics_port=0)
    with ExitStack() as stack:
        log = stack.enter_context((Path(folder) / f"{kind}.log").open("w", encoding="utf-8"))
        configure_logging(level="info" if kind in ("log", "both") else "error", stream=log)
        metrics = stack.enter_context(counted(kind, settings))
        models = load_models([BUNDLE], threads=threads)
        address = stack.enter_context(serving(models, MemoryStore(), settings, metrics))
        with Client(address) as client:
            for number in range(PEOPLE):
                client.enroll(COLLECTION, f"person-{number}", [picture(number + i) for i in range(REFERENCES)])
        tell(parent, address)


@contextmanager
def counted(kind: str, settings: ServiceSettings) -> Iterator[Metrics]:
    """What the service of this kind counts with, collected once a second where it tells by itself."""
    if kind not in ("metrics", "files", "both"):
        yield Metrics()
        return
    with ExitStack() as stack:
        if kind == "files":
            # As the parent of worker processes tells them; the client library decides by it when it is imported.
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
            os.environ[SHARED_METRICS] = folder
        from prometheus_client import CollectorRegistry

        from verify.observing.endpoint import MetricsEndpoint
        from verify.observing.prometheus import PrometheusMetrics

        registry = CollectorRegistry()
        metrics = PrometheusMetrics(registry)
        if kind != "files":
            endpoint = stack.enter_context(MetricsEndpoint(settings.metrics_host, 0, registry))
            stack.enter_context(collecting(endpoint.port))
        yield metrics


@contextmanager
def collecting(port: int) -> Iterator[None]:
    """Prometheus, once a second."""
    stopping = threading.Event()

    def collect() -> None:
        while not stopping.wait(1.0):
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                answer.read()

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def requests() -> list[bytes]:
    """Claims of enrolled people, ready to send."""
    return [
        pb.VerifyRequest(
            collection=COLLECTION, person=f"person-{number}", samples=[write_sample(picture(number))]
        ).SerializeToString()
        for number in range(PEOPLE)
    ]


def measure(
    services: dict[str, Service], load: Generator, clients: int, rounds: int, seconds: float, rows: report.Rows
) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in services}
    spent: dict[str, list[float]] = {kind: [] for kind in services}
    bodies, order = requests(), list(services)
    for turn in range(-1, rounds):
        for kind in order[turn % len(order) :] + order[: turn % len(order)]:
            before = services[kind].processor_ms()
            outcome = load.closed(services[kind].address, bodies, clients=clients, seconds=seconds)
            assert set(outcome.codes) == {"OK"}, outcome.codes
            if turn >= 0:  # the first is to warm up
                rates[kind].append(outcome.rate)
                spent[kind].append((services[kind].processor_ms() - before) / outcome.answered)
    bare, bare_spent = np.array(rates["neither"]), np.array(spent["neither"])
    print(
        f"{clients:2} clients: neither {np.median(bare):.0f} calls a second, {np.median(bare_spent):.3f} ms of "
        "processor a call"
    )
    for kind in order[1:]:
        ratios: Sequence[float] = (np.array(rates[kind]) / bare).tolist()
        low, middle, high = report.quartiles(ratios)
        print(f"   {kind:8} {middle:.3f} of that (quartiles {low:.3f}, {high:.3f}; {rounds} rounds)")
        rows.add(
            f"Verify with {NAMES[kind]}, {clients} clients",
            ours=middle * float(np.median(bare)),
            baseline=float(np.median(bare)),
            against="no metrics and no log",
            unit="calls a second; ratio: median of rounds",
            n=rounds,
            low=low,
            high=high,
        )
        low, middle, high = report.quartiles((np.array(spent[kind]) / bare_spent).tolist())
        print(f"{'':11} {middle:.3f} of the processor time (quartiles {low:.3f}, {high:.3f})", flush=True)
        rows.add(
            f"processor time of Verify with {NAMES[kind]}, {clients} clients",
            ours=middle * float(np.median(bare_spent)),
            baseline=float(np.median(bare_spent)),
            against="no metrics and no log",
            unit="ms a call; ratio: median of rounds",
            n=rounds,
            low=low,
            high=high,
        )


NAMES = {
    "metrics": "metrics",
    "files": "metrics of worker processes",
    "log": "log",
    "both": "metrics and log",
}


def main() -> None:
    parser = report.parser(__doc__, quick="12 rounds of 0.3 s, at 32 clients")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    parser.add_argument("--clients", type=int, nargs="*")
    options = parser.parse_args()
    rounds = options.rounds or (12 if options.quick else 40)
    seconds = options.seconds or (0.3 if options.quick else 0.5)
    rows = report.Rows(options)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = {kind: stack.enter_context(service(serve, kind, folder, options.threads)) for kind in KINDS}
        load = stack.enter_context(generator())
        for clients in options.clients or ((32,) if options.quick else (1, 32)):
            measure(services, load, clients, rounds, seconds, rows)


if __name__ == "__main__":
    main()
