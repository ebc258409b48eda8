"""What encryption and audit cost in Verify throughput: neither, each, and both, taken in turns in the same run.

    python benchmarks/bench_protection.py [--rounds 60] [--seconds 0.3] [--threads 1]

Four services, each a process of its own with an SQLite file of its own, answer the same Verify calls with models/face:

    neither      templates read in the clear with one statement, no key store, no audit log
    encryption   the store as it ships, no audit log
    audit        templates in the clear; every decision in the audit log, on disk before it is answered
    both         as it ships

In every round each service is loaded for `--seconds`, in an order that rotates. A ratio is taken within a round,
against `neither` of that round; told are the median of the rounds, its 95 % interval and the quartiles of the rounds.
Rounds are short, so that whatever else the machine does meets all four alike; and one thread computes an inference,
because several wait for each other in loops that take the processor from whatever else it should do. What waits for the
disk depends on the disk: the time of a bare fsync is printed as well. So is the processor time of a call, which is what
throughput follows from once the processors are busy, and which other work on the machine hardly changes.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# As `countersign serve` sets it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import grpc
import numpy as np
from scipy.stats import binom
from sqlalchemy import bindparam, insert, select

import report
from bench_audit import fsync_ms
from bench_verify import BUNDLE, picture
from encode.sample import Modality
from enroll.stores.glance import Stored
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.prepared import Prepared
from enroll.stores.schema import templates
from enroll.stores.sql import SqlStore
from enroll.template import Template
from load.child import Service, service, tell
from verify.messages import write_sample
from verify.model import Model, load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import verification_pb2 as pb

KINDS = {"neither": (False, False), "encryption": (True, False), "audit": (False, True), "both": (True, True)}
CLIENTS = (1, 8, 32)
PEOPLE, REFERENCES, PROBES = 200, 5, 32
COLLECTION = "bench"
METHOD = "/verify.v1.VerificationService/Verify"

_IN_THE_CLEAR = Prepared(
    select(templates.c.payload).where(
        templates.c.collection == bindparam("collection"), templates.c.person == bindparam("person")
    )
)


class Unsealed:
    """A store that keeps templates in the clear, one statement to read; all else is the store's own."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def read(self, collection: str, person: str, known: Stored | None = None) -> Stored:
        with self._store.database.reading() as connection:
            stamp = _IN_THE_CLEAR.first(connection, {"collection": collection, "person": person})
        if known is not None and known.stamp == stamp:
            return known
        return Stored(stamp, () if stamp is None else (Template.from_bytes(stamp[0]),))

    def enroll(self, people: Sequence[Template]) -> None:
        rows = [
            {
                "collection": one.collection,
                "person": one.person,
                "modality": one.modality.value,
                "template_id": one.template_id,
                "version": one.version,
                "model_digest": one.model_digest,
                "payload": one.to_bytes(),
            }
            for one in people
        ]
        with self._store.database.writing() as connection:
            connection.execute(insert(templates), rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def people_of(model: Model) -> list[Template]:
    """Enrolled people; what their references are does not change the time."""
    generator, now = np.random.default_rng(0), datetime.now(UTC)
    size = model.encoder.embedding_size
    found = []
    for number in range(PEOPLE):
        rows = generator.standard_normal((REFERENCES, size)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        empty = Template.empty(COLLECTION, f"person-{number}", model.modality, model.model_digest, size=size, now=now)
        found.append(empty.with_references(rows, anchors_capacity=REFERENCES, recent_capacity=5, now=now))
    return found


def serve(kind: str, folder: str, threads: int, parent: Connection) -> None:
    """One of the four services, until the parent says stop; tells it the address, and its processor time when asked."""
    sealed, audited = KINDS[kind]
    models = load_models([BUNDLE], threads=threads)
    store = open_sql_store(StorePlace(str(Path(folder) / f"{kind}.sqlite")), audited=audited)
    people = people_of(models[Modality.FACE])
    used: Any = store
    if sealed:
        for one in people:
            store.save([one], answer=b"", request=None)
    else:
        used = Unsealed(store)
        used.enroll(people)
    settings = ServiceSettings(port=0, access="open", audit="all" if audited else "off", max_waiting=256)
    with serving(models, used, settings) as address:
        tell(parent, address)
    store.close()


def requests() -> list[bytes]:
    """Claims of enrolled people with various pictures, ready to send."""
    return [
        pb.VerifyRequest(
            collection=COLLECTION, person=f"person-{number % PEOPLE}", samples=[write_sample(picture(number % PROBES))]
        ).SerializeToString()
        for number in range(PEOPLE)
    ]


def load(verify: Sequence[Callable[[bytes], object]], bodies: Sequence[bytes], seconds: float) -> tuple[int, float]:
    """Calls answered and seconds, while each of the clients calls, waits for the answer, and calls again."""
    counts = [0] * len(verify)
    begin = threading.Barrier(len(verify) + 1)

    def client(index: int) -> None:
        begin.wait()
        turn = 7 * index
        while time.perf_counter() < until:
            verify[index](bodies[turn % len(bodies)])
            turn += 1
            counts[index] += 1

    threads = [threading.Thread(target=client, args=(index,)) for index in range(len(verify))]
    for thread in threads:
        thread.start()
    started_at = time.perf_counter()
    until = started_at + seconds
    begin.wait()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - started_at


def spread(values: Sequence[float]) -> str:
    """The median, its 95 % interval by order statistics (no assumption but independent rounds), and the quartiles."""
    ordered, count = np.sort(values), len(values)
    below = int(binom.ppf(0.025, count, 0.5))
    low, high = ordered[max(0, below - 1)], ordered[min(count - 1, count - below)]
    first, third = np.quantile(ordered, [0.25, 0.75])
    return f"{np.median(ordered):.3f} ({low:.3f} to {high:.3f}; quartiles {first:.3f}, {third:.3f})"


def measure(
    services: dict[str, Service], clients: int, bodies: Sequence[bytes], rounds: int, seconds: float, rows: report.Rows
) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in services}
    spent: dict[str, list[float]] = {kind: [] for kind in services}
    order = list(services)
    with ExitStack() as stack:
        calls = {}
        for kind, service in services.items():
            channels = [
                stack.enter_context(
                    grpc.insecure_channel(
                        service.address,
                        options=[("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)],
                    )
                )
                for _ in range(clients)
            ]
            calls[kind] = [channel.unary_unary(METHOD, None, None) for channel in channels]
            load(calls[kind], bodies, 0.5)
        for turn in range(rounds):
            for kind in order[turn % 4 :] + order[: turn % 4]:
                before = services[kind].processor_ms()
                count, took = load(calls[kind], bodies, seconds)
                rates[kind].append(count / took)
                spent[kind].append((services[kind].processor_ms() - before) / count)
    bare, bare_spent = np.array(rates["neither"]), np.array(spent["neither"])
    print(
        f"{clients:2} clients: neither {np.median(bare):.0f} calls a second, {np.median(bare_spent):.2f} ms of "
        "processor a call"
    )
    for kind in order[1:]:
        # Of clients who wait for each answer: how much longer one takes.
        longer = 1e3 * clients * np.median(1 / np.array(rates[kind]) - 1 / bare)
        print(f"   {kind:10} {spread(np.array(rates[kind]) / bare)} of that; {longer:+.2f} ms a call")
        print(f"{'':13} {spread(bare_spent / np.array(spent[kind]))} by processor time", flush=True)
        low, middle, high = report.quartiles(np.array(rates[kind]) / bare)
        rows.add(
            f"Verify with {kind}, {clients} clients" if kind != "both" else f"Verify as it ships, {clients} clients",
            ours=middle * float(np.median(bare)),
            baseline=float(np.median(bare)),
            against="neither encryption nor audit log",
            unit="calls a second; ratio: median of rounds",
            n=rounds,
            low=low,
            high=high,
        )


def main() -> None:
    arguments = report.parser(__doc__, quick="8 rounds, at 1 and 32 clients")
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--seconds", type=float, default=0.3)
    arguments.add_argument("--threads", type=int, default=1, help="of one inference")
    arguments.add_argument("--clients", type=int, nargs="*")
    given = arguments.parse_args()
    rows, rounds = report.Rows(given), given.rounds or (8 if given.quick else 60)
    bodies = requests()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        print(f"write and fsync of a page: {fsync_ms(Path(folder)):.2f} ms")
        services = {kind: stack.enter_context(service(serve, kind, folder, given.threads)) for kind in KINDS}
        for clients in given.clients or ((1, 32) if given.quick else CLIENTS):
            measure(services, clients, bodies, rounds, given.seconds, rows)


if __name__ == "__main__":
    main()
