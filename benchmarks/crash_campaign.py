"""SIGKILL at random moments, hundreds of times, under load: what was answered must be there, and what was erased gone.

    python benchmarks/crash_campaign.py --store sqlite --kills 300
    python benchmarks/crash_campaign.py --store postgres --kills 300

A real `countersign serve`, audit on, under the load of several callers (`durability/caller.py`) who keep ledgers of
what they were answered (`durability/ledger.py`). It is killed in the ways of `durability/accidents.py`, started again
on the same store, and held to every ledger after every kill. Exits with 1 if anything was found.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from durability.accidents import ACCIDENTS, Scene
from durability.caller import Caller
from durability.first_start import first_start
from durability.inspection import Chain, check_entries, inspect
from durability.ledger import KINDS, Findings, Shared
from durability.places import keep_samples, open_everything, postgres_place, sealing_nothing, sqlite_place
from durability.postgres_cluster import PostgresCluster
from durability.spread import spread
from encode.errors import CountersignError, StoreCorrupt

BUNDLE = Path(__file__).resolve().parents[1] / "models" / "face-chopra2005"
CALLERS = 4
KEEPING = (0, 1)
"""Callers whose collections keep the samples of enrolments."""
WHOLE_EVERY = 20
"""Kills between two checks of the audit chain from its start by `countersign audit verify`."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=sorted(ACCIDENTS), required=True)
    parser.add_argument("--kills", type=int, default=300, help="processes to kill, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one kind of accident alone")
    options = parser.parse_args()
    began = time.monotonic()
    # Ended by a signal, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-crash-")))
        cluster = None
        if options.store == "postgres":
            cluster = PostgresCluster(fsync=True)
            stack.callback(cluster.remove)
            cluster.start()
        place = sqlite_place(folder / "live") if cluster is None else postgres_place(folder / "live", cluster)
        keep_samples(place, *(f"caller-{number}" for number in KEEPING))
        findings, shared, erasing = Findings(), Shared(), Event()
        scene = Scene(random.Random(options.seed), place, BUNDLE, folder, cluster, erasing, findings)
        stack.callback(scene.kill_service)
        callers = [
            Caller(number, options.seed, findings, shared, erasing, keeps=number in KEEPING)
            for number in range(CALLERS)
        ]
        chain = Chain(place, findings)
        kinds, entries, opened = (Counter[str]() for _ in range(3))
        try:
            kinds = campaign(scene, callers, shared, chain, options.store, options.kills, options.only)
            entries = check_entries(place, callers, findings)
            opened = open_everything(place)
            opened["keys that seal nothing"] = sealing_nothing(place)
        except StoreCorrupt as error:
            findings.add("corrupt", f"not everything opens: {error}")
        except CountersignError as error:
            findings.add("unforeseen", f"the service could not be started: {error}")
        report(scene, callers, kinds, entries, opened, chain, time.monotonic() - began)
    return 1 if findings.all else 0


def campaign(
    scene: Scene, callers: list[Caller], shared: Shared, chain: Chain, store: str, kills: int, only: str | None
) -> Counter[str]:
    """Accidents until so many processes were killed; returns how many of each kind there were."""
    accidents = ACCIDENTS[store]
    names, shares = list(accidents), [share for _, share in accidents.values()]
    kinds: Counter[str] = Counter()
    whole = 0
    while True:
        if scene.service is None:
            service = scene.begin()
            scene.service = service
            scene.address, seconds = service.ready()
            scene.restarts.append(seconds)
        done = killed(scene)
        due = done // WHOLE_EVERY > whole or done >= kills
        whole = done // WHOLE_EVERY
        inspect(scene, callers, shared, chain, whole=due)
        if done >= kills:
            break
        if sum(kinds.values()) % 10 == 0:
            print(f"{done} killed, {sum(c.ledger.counts.total() for c in callers)} calls counted", flush=True)
        # Every thirtieth round a first start too, on a store of its own.
        if only is None and scene.draw.random() < 1 / 30:
            first_start(scene)
            kinds["first start"] += 1
        name = only or scene.draw.choices(names, shares)[0]
        kinds[name] += 1
        stop = Event()
        with ThreadPoolExecutor(len(callers)) as pool:
            working = [pool.submit(caller.work, scene.address, stop) for caller in callers]
            try:
                accidents[name][0](scene)
            finally:
                stop.set()
        for one in working:
            one.result()
    scene.service.stop()
    scene.service = None
    return kinds


def killed(scene: Scene) -> int:
    """Services and database servers killed so far; commands beside them are not counted."""
    return sum(scene.counts[f"{what} killed"] for what in ("service", "server", "backend"))


def report(
    scene: Scene,
    callers: list[Caller],
    kinds: Counter[str],
    entries: Counter[str],
    opened: Counter[str],
    chain: Chain,
    seconds: float,
) -> None:
    told: Counter[str] = sum((caller.ledger.counts for caller in callers), Counter())
    rows: list[tuple[str, object]] = [
        ("kills", killed(scene)),
        *((f"  {name}", count) for name, count in sorted(scene.counts.items())),
        *((f"  accidents: {name}", count) for name, count in sorted(kinds.items())),
        *((name, count) for name, count in sorted(told.items())),
        *((f"audit entries: {name}", count) for name, count in sorted(entries.items())),
        *((f"audit checks {name}", count) for name, count in sorted(chain.checks.items())),
        *((f"opened at the end: {name}", count) for name, count in sorted(opened.items())),
        ("restart to ready, s", spread(scene.restarts)),
        ("PostgreSQL started again, s", spread(scene.server_starts)),
        ("service found back to it, s", spread(scene.recoveries)),
        *((kind, scene.findings.count(kind)) for kind in KINDS),
        ("minutes", f"{seconds / 60:.1f}"),
    ]
    print("\n".join(f"{name:40} {value}" for name, value in rows), flush=True)


if __name__ == "__main__":
    sys.exit(main())
