"""What happens to a service under load: each accident leaves it dead, or its database server started again.

load       SIGKILL at a random moment of the load
erasure    SIGKILL within milliseconds of an erasure being sent
rotation   SIGKILL during `countersign keys rotate`, often to the rotation too
backup     SIGKILL during `countersign db backup`, often to the backup too (SQLite)
export     likewise, `countersign db export`
start      SIGKILL before a restarted service is ready
server     SIGKILL to every process of PostgreSQL, then to the service
server alone, backend   the same to PostgreSQL alone, or to one of its backends: the service must go on by itself
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from durability.ledger import Findings
from durability.postgres_cluster import PostgresCluster
from durability.service_process import Place, Service, command, kill
from encode.errors import CountersignError, ServiceUnavailable
from enroll.stores.export_file import check_export
from enroll.stores.opening import StorePlace
from enroll.stores.restore import require_usable
from verify.client.client import Client

LONGEST_LOAD_SECONDS = 1.2
_GIVE_UP_SECONDS = 60.0


@dataclass
class Scene:
    """A campaign in progress. `cluster` is None for SQLite; `service` is None while none runs."""

    draw: random.Random
    place: Place
    bundle: Path
    folder: Path
    cluster: PostgresCluster | None
    erasing: Event
    findings: Findings
    service: Service | None = None
    address: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    restarts: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    server_starts: list[float] = field(default_factory=list)
    _runs: int = 0

    def begin(self) -> Service:
        """A service on the store, perhaps not ready yet."""
        self._runs += 1
        return Service(self.place, self.bundle, self.folder / f"service-{self._runs}.log")

    def file(self, kind: str) -> Path:
        self._runs += 1
        return self.folder / f"{self._runs}.{kind}"

    def kill_service(self) -> None:
        if self.service is not None:
            self.service.kill()
            self.service = None
            self.counts["service killed"] += 1

    def running(self) -> Service:
        if self.service is None:
            raise RuntimeError("no service runs")
        return self.service


def under_load(scene: Scene) -> None:
    time.sleep(scene.draw.uniform(0.0, LONGEST_LOAD_SECONDS))
    scene.kill_service()


def during_erasure(scene: Scene) -> None:
    time.sleep(scene.draw.uniform(0.0, LONGEST_LOAD_SECONDS / 2))
    scene.erasing.wait(5.0)
    time.sleep(scene.draw.uniform(0.0, 0.03))
    scene.kill_service()


def during_rotation(scene: Scene) -> None:
    _beside(scene, "keys", "rotate", "--drop-old")


def during_backup(scene: Scene) -> None:
    file = scene.file("backup")
    finished = _beside(scene, "db", "backup", str(file))
    try:
        require_usable(StorePlace(scene.place.database, scene.place.key_database), file)
    except CountersignError as error:
        if finished:
            scene.findings.add("corrupt", f"a finished backup cannot be used: {error}")
        scene.counts["unfinished backups refused"] += 1
    else:
        scene.counts["backups whole"] += 1
    file.unlink(missing_ok=True)


def during_export(scene: Scene) -> None:
    file = scene.file("export")
    finished = _beside(scene, "db", "export", str(file))
    try:
        check_export(file)
    except (CountersignError, OSError) as error:
        if finished:
            scene.findings.add("corrupt", f"a finished export cannot be used: {error}")
        scene.counts["unfinished exports refused"] += 1
    else:
        scene.counts["exports whole"] += 1
    file.unlink(missing_ok=True)


def during_start(scene: Scene) -> None:
    scene.kill_service()
    usual = sorted(scene.restarts)[len(scene.restarts) // 2] if scene.restarts else 2.0
    starting = scene.begin()
    time.sleep(scene.draw.uniform(0.0, 1.1 * usual))
    starting.kill()
    scene.counts["service killed"] += 1


def of_the_server(scene: Scene) -> None:
    _crash(scene)
    scene.kill_service()
    _start(scene)


def of_the_server_alone(scene: Scene) -> None:
    _crash(scene)
    _start(scene)
    _recover(scene)


def of_a_backend(scene: Scene) -> None:
    time.sleep(scene.draw.uniform(0.1, LONGEST_LOAD_SECONDS))
    if scene.cluster is not None and scene.cluster.hurt(scene.draw.randrange(1_000)):
        scene.counts["backend killed"] += 1
    _recover(scene)


Accident = Callable[[Scene], None]
_ANYWHERE: dict[str, tuple[Accident, int]] = {
    "load": (under_load, 40),
    "erasure": (during_erasure, 14),
    "rotation": (during_rotation, 10),
    "export": (during_export, 6),
    "start": (during_start, 14),
}
ACCIDENTS: dict[str, dict[str, tuple[Accident, int]]] = {
    "sqlite": {**_ANYWHERE, "backup": (during_backup, 6)},
    "postgres": {
        **_ANYWHERE,
        "server": (of_the_server, 10),
        "server alone": (of_the_server_alone, 8),
        "backend": (of_a_backend, 8),
    },
}
"""Store → name → accident and how often it happens, as a share of all shares."""


def _beside(scene: Scene, *words: str) -> bool:
    """Kill the service while another command works on its store; whether that command finished its work."""
    other = command(*words, *scene.place.flags, stderr=scene.file("log"))
    time.sleep(scene.draw.uniform(0.3, 1.8))
    scene.kill_service()
    if scene.draw.random() < 0.6:
        time.sleep(scene.draw.uniform(0.0, 0.1))
        if other.poll() is None:
            scene.counts[f"{words[1]} killed"] += 1
        kill(other)
    code = other.wait()
    scene.counts[f"{words[1]} finished"] += code == 0
    return code == 0


def _crash(scene: Scene) -> None:
    time.sleep(scene.draw.uniform(0.1, LONGEST_LOAD_SECONDS))
    if scene.cluster is None:
        raise RuntimeError("there is no server to kill")
    scene.cluster.crash()
    scene.counts["server killed"] += 1


def _start(scene: Scene) -> None:
    if scene.cluster is not None:
        began = time.monotonic()
        scene.cluster.start()
        scene.server_starts.append(time.monotonic() - began)


def _recover(scene: Scene) -> None:
    """Wait until the service, which nobody restarts, answers from its database again."""
    began = time.monotonic()
    with Client(scene.address, timeout=30) as client:
        while time.monotonic() - began < _GIVE_UP_SECONDS:
            try:
                list(client.list_persons("shared"))
            except ServiceUnavailable as error:
                scene.findings.add("unforeseen", f"the service did not outlive its database server: {error}")
                return
            except CountersignError as error:
                scene.counts[f"met {error.reason} meanwhile"] += 1
                time.sleep(0.02)
            else:
                scene.recoveries.append(time.monotonic() - began)
                return
    scene.findings.add("unforeseen", "the service did not find back to its database server within a minute")
