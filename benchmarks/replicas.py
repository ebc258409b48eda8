"""Two services on one PostgreSQL under load: what one answers, the other knows; one is killed, and nothing is lost.

    python benchmarks/replicas.py

Each round enrolls somebody through one service and verifies through the other from the moment of the answer, erases
there and verifies here, and sends one request to both at once. Meanwhile two callers a service keep ledgers
(`durability/caller.py`). Then one service after the other is killed: its callers' ledgers are checked against the
other, calls that were not answered are repeated there, and it is started again. Exits with 1 if anything was found.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from durability.caller import Caller
from durability.inspection import Chain, check_entries
from durability.ledger import KINDS, Findings, Shared
from durability.places import postgres_place
from durability.postgres_cluster import PostgresCluster
from durability.service_process import Place, Service
from durability.spread import spread
from encode.errors import PersonUnknown
from encode.sample import ImageSample
from fuzzing.pictures import face
from verify.client.client import Client

BUNDLE = Path(__file__).resolve().parents[1] / "models" / "face-chopra2005"
CALLERS = 4
LOAD_SECONDS = 1.0
GIVE_UP_SECONDS = 10.0
SAMPLES = [ImageSample(face(7, shot)) for shot in range(2)]


class Pair:
    """Two services on one store, and how long one took to see what the other had answered, in seconds."""

    def __init__(self, place: Place, folder: Path, findings: Findings) -> None:
        self._place, self._folder, self._findings = place, folder, findings
        self._runs = 0
        self.services = [self._begin(), self._begin()]
        self.addresses = [service.ready()[0] for service in self.services]
        self.seen: list[float] = []
        self.refused: list[float] = []
        self.replays = 0

    def round(self, number: int) -> None:
        """Enroll here, verify there; erase there, verify here; the same request to both."""
        here, there = number % 2, 1 - number % 2
        person = f"round-{number}"
        with Client(self.addresses[here]) as one, Client(self.addresses[there]) as other:
            one.enroll("pair", person, SAMPLES)
            self.seen.append(self._until_accepted(other, person))
            # Through this one too, so that its memory holds the key of whoever is erased next.
            self._until_accepted(one, person)
            other.delete_person("pair", person)
            answered = time.perf_counter()
            try:
                one.verify("pair", person, SAMPLES[:1])
            except PersonUnknown:
                self.refused.append(time.perf_counter() - answered)
            else:
                self._findings.add("back", f"{person} is verified after the other service erased them")
            self._both(one, other, f"twin-{number}")

    def kill(self, index: int) -> None:
        self.services[index].kill()

    def restart(self, index: int) -> None:
        self.services[index] = self._begin()
        self.addresses[index] = self.services[index].ready()[0]

    def _until_accepted(self, client: Client, person: str) -> float:
        began = time.perf_counter()
        while time.perf_counter() - began < GIVE_UP_SECONDS:
            try:
                if client.verify("pair", person, SAMPLES[:1]).accepted:
                    return time.perf_counter() - began
            except PersonUnknown:
                continue
        self._findings.add("lost", f"{person} is not verified by the other service")
        return GIVE_UP_SECONDS

    def _both(self, one: Client, other: Client, person: str) -> None:
        request = uuid.uuid4().hex
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(client.enroll, "pair", person, SAMPLES, request_id=request) for client in (one, other)]
            answers = [call.result() for call in sent]
        self.replays += 1
        if answers[0] != answers[1] or answers[0].person.templates[0].version != 1:
            self._findings.add("answer differs", f"{person}: one request, sent to both services, was done twice")

    def _begin(self) -> Service:
        self._runs += 1
        return Service(self._place, BUNDLE, self._folder / f"service-{self._runs}.log")


@contextmanager
def loaded(pair: Pair, callers: list[Caller]) -> Iterator[None]:
    """Callers at work, the first half at one service and the second at the other."""
    stop = Event()
    with ThreadPoolExecutor(len(callers)) as pool:
        working = [pool.submit(caller.work, pair.addresses[home(callers, caller)], stop) for caller in callers]
        try:
            yield
        finally:
            stop.set()
    for one in working:
        one.result()


def home(callers: list[Caller], caller: Caller) -> int:
    return 0 if callers.index(caller) < len(callers) // 2 else 1


def hold(address: str, callers: list[Caller]) -> None:
    """Every ledger, against one service."""
    with Client(address, timeout=60) as client:
        for caller in callers:
            caller.check(client)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw, findings, shared = random.Random(options.seed), Findings(), Shared()
    # Ended by a signal, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-replicas-")))
        cluster = PostgresCluster(fsync=True)
        stack.callback(cluster.remove)
        cluster.start()
        place = postgres_place(folder / "live", cluster)
        pair = Pair(place, folder, findings)
        stack.callback(lambda: [service.kill() for service in pair.services])
        callers = [Caller(number, options.seed, findings, shared, Event()) for number in range(CALLERS)]
        chain = Chain(place, findings)
        with loaded(pair, callers):
            for number in range(options.rounds):
                pair.round(number)
        hold(pair.addresses[1], callers)
        went_on = 0
        for number in range(options.kills):
            victim = number % 2
            with loaded(pair, callers):
                time.sleep(draw.uniform(0.0, LOAD_SECONDS))
                pair.kill(victim)
                # The other one's callers go on for as long again.
                others = [one for one in callers if home(callers, one) != victim]
                before = sum(one.ledger.counts.total() for one in others)
                time.sleep(LOAD_SECONDS / 2)
                went_on += sum(one.ledger.counts.total() for one in others) > before
            hold(pair.addresses[1 - victim], callers)
            pair.restart(victim)
            chain.check()
        chain.check(whole=True)
        besides = {"Enroll": 2 * options.rounds, "DeletePerson": options.rounds}
        check_entries(place, callers, findings, besides=besides)
    told: Counter[str] = sum((caller.ledger.counts for caller in callers), Counter())
    rows: list[tuple[str, object]] = [
        ("rounds", options.rounds),
        ("enrolled here, accepted there, s", spread(pair.seen)),
        ("erased there, refused here, s", spread(pair.refused)),
        ("one request to both, done once", pair.replays),
        ("services killed", options.kills),
        ("the other one went on", went_on),
        *((name, count) for name, count in sorted(told.items())),
        *((kind, findings.count(kind)) for kind in KINDS),
    ]
    print("\n".join(f"{name:40} {value}" for name, value in rows), flush=True)
    late = sum(seconds > 1.0 for seconds in pair.seen)
    print(f"{late} of {len(pair.seen)} took longer than a second")
    return 1 if findings.all or late or went_on < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
