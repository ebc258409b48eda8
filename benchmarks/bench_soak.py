"""A mixed load for a long time: memory that does not grow, and no error that is not the caller's own.

    python benchmarks/bench_soak.py [--minutes 20] [--share 0.6]

Claims of faces and signatures, enrolments, reads, deletions and samples that are none arrive as a Poisson process at
`--share` of what the same mix comes to with callers who wait. Each kind of call has the ends it may come to; any other
is an error, and the script exits with 1. Every ten seconds the resident memory of all processes of the service is
read; told is the slope of a line through it after the first quarter, over the time measured, in % of its level.
"""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import report
from durability.service_process import Place, Service
from encode.errors import CountersignError
from encode.sample import ImageSample, Modality
from load.claims import BUNDLES, COLLECTION, REFERENCES, enroll, name, sample
from load.processes import rss_mib
from verify.client.client import Client

PEOPLE = 50
"""Who are there throughout, of each modality; those who are enrolled and deleted meanwhile are others."""

PASSING = 200
CALLERS = 16
EVERY_SECONDS = 10.0

Kind = Callable[[Client, random.Random], object]


def verify_face(client: Client, draw: random.Random) -> object:
    person = draw.randrange(PEOPLE)
    probe = sample(Modality.FACE, person, draw.randrange(100))
    return client.verify(COLLECTION, name(Modality.FACE, person), [probe])


def verify_signature(client: Client, draw: random.Random) -> object:
    person = draw.randrange(PEOPLE)
    probe = sample(Modality.SIGNATURE, person, draw.randrange(100))
    return client.verify(COLLECTION, name(Modality.SIGNATURE, person), [probe])


def _passing(draw: random.Random) -> str:
    return f"passing-{draw.randrange(PASSING)}"


def enroll_passing(client: Client, draw: random.Random) -> object:
    modality, person = draw.choice(list(BUNDLES)), draw.randrange(PASSING)
    references = [sample(modality, person, shot) for shot in range(REFERENCES)]
    return client.enroll(COLLECTION, _passing(draw), references)


def get_passing(client: Client, draw: random.Random) -> object:
    return client.get_person(COLLECTION, _passing(draw))


def delete_passing(client: Client, draw: random.Random) -> object:
    return client.delete_person(COLLECTION, _passing(draw))


def bad_input(client: Client, draw: random.Random) -> object:
    return client.verify(COLLECTION, name(Modality.FACE, draw.randrange(PEOPLE)), [ImageSample(draw.randbytes(3_000))])


MIX: dict[Kind, tuple[int, frozenset[str]]] = {
    verify_face: (60, frozenset({"OK"})),
    verify_signature: (20, frozenset({"OK"})),
    enroll_passing: (5, frozenset({"OK"})),
    get_passing: (5, frozenset({"OK", "PERSON_UNKNOWN"})),
    delete_passing: (5, frozenset({"OK", "PERSON_UNKNOWN"})),
    bad_input: (5, frozenset({"IMAGE_FORMAT_UNSUPPORTED"})),
}
"""Kind of call → how many of a hundred, and how it may end: OK, or the reason of an error."""


class Load:
    """Calls of the mix, counted by kind and by how they ended. Safe to use from several threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.late = 0.0

    def call(self, seed: int, due: float | None = None) -> None:
        """One call, drawn by `seed`."""
        draw = random.Random(seed)
        kind = draw.choices(list(MIX), [share for share, _ in MIX.values()])[0]
        late = 0.0 if due is None else time.monotonic() - due
        try:
            kind(self._client, draw)
            end = "OK"
        except CountersignError as error:
            end = error.reason
        with self._lock:
            self.ended[kind.__name__, end] += 1
            self.late = max(self.late, late)

    @property
    def errors(self) -> dict[str, int]:
        allowed = {kind.__name__: ends for kind, (_, ends) in MIX.items()}
        return {f"{kind}: {end}": count for (kind, end), count in self.ended.items() if end not in allowed[kind]}

    def closed(self, seconds: float) -> float:
        """Calls a second of `CALLERS` who wait."""
        until, before = time.monotonic() + seconds, self.ended.total()

        def caller(number: int) -> None:
            seed = number << 32
            while time.monotonic() < until:
                self.call(seed)
                seed += 1

        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(caller, range(CALLERS)))
        return (self.ended.total() - before) / seconds

    def open(self, rate: float, seconds: float) -> None:
        """Poisson arrivals; those that find every caller busy wait for one."""
        gaps = np.random.default_rng(0).exponential(1.0 / rate, int(rate * seconds))
        with ThreadPoolExecutor(4 * CALLERS) as pool:
            for seed, due in enumerate(time.monotonic() + np.cumsum(gaps)):
                if (ahead := due - time.monotonic()) > 0:
                    time.sleep(ahead)
                pool.submit(self.call, seed, float(due))


class Memory(threading.Thread):
    """Reads the memory of a process tree every so often, until it is ended."""

    def __init__(self, pid: int, every: float) -> None:
        super().__init__()
        self._pid, self._every = pid, every
        self._ended = threading.Event()
        self.mib: list[float] = []

    def run(self) -> None:
        while not self._ended.wait(self._every):
            self.mib.append(rss_mib(self._pid))
            if len(self.mib) % 6 == 0:
                print(f"{len(self.mib) * self._every / 60:6.1f} min  {self.mib[-1]:.1f} MiB", flush=True)

    def end(self) -> Sequence[float]:
        """What was read after the first quarter."""
        self._ended.set()
        self.join()
        return self.mib[len(self.mib) // 4 :]


def main() -> int:
    parser = report.parser(__doc__, quick="half a minute")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--share", type=float, default=0.6, help="of what callers who wait come to")
    options = parser.parse_args()
    rows = report.Rows(options)
    minutes = 0.5 if options.quick else options.minutes
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Place(f"{folder}/store.sqlite", f"{folder}/store.keys", None)
        both = ["--models", str(BUNDLES[Modality.SIGNATURE])]
        service = Service(place, BUNDLES[Modality.FACE], Path(folder) / "log", flags=both)
        stack.callback(service.stop)
        address, _ = service.ready()
        for modality in BUNDLES:
            enroll(address, modality, people=PEOPLE)
        load = Load(stack.enter_context(Client(address)))
        capacity = load.closed(min(10.0, 10 * minutes))
        print(f"the mix comes to {capacity:.1f} calls/s with {CALLERS} callers who wait", flush=True)
        memory = Memory(service.process.pid, min(EVERY_SECONDS, minutes * 60 / 40))
        memory.start()
        load.open(options.share * capacity, minutes * 60)
        steady = np.array(memory.end())
    for (kind, end), count in sorted(load.ended.items()):
        print(f"{kind:18} {end:20} {count}")
    at = np.arange(len(steady))
    slope = float(np.polyfit(at, steady, 1)[0]) * (len(steady) - 1)
    level = float(steady.mean())
    print(f"begun {1e3 * load.late:.0f} ms after due at most; errors: {load.errors or 'none'}")
    print(f"memory {level:.1f} MiB, {100 * slope / level:+.2f} % over the time after the first quarter")
    rows.add(
        "Mixed load, memory at the end of a line through it",
        ours=level + slope / 2,
        baseline=level - slope / 2,
        against="its beginning, after the first quarter",
        unit="MiB",
        n=len(steady),
        at_most=1.02,
    )
    rows.add(
        "Mixed load, calls that ended as they should",
        ours=load.ended.total() - sum(load.errors.values()),
        baseline=load.ended.total(),
        against="all calls",
        unit="calls",
        n=load.ended.total(),
        at_least=1.0,
    )
    return 1 if load.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
