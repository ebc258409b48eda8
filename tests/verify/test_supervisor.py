"""Several real processes behind one port: who answers, who takes the place of whom, and how all of it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from encode.errors import AddressInUse, ConfigError
from encode.sample import ImageSample
from verify.client.client import Client
from verify.settings import ServiceSettings, environment_without_settings
from verify.supervisor import reserved_port, supervise
from verify.v1 import verification_pb2, verification_pb2_grpc

Face = Callable[..., ImageSample]
PATIENCE = 30.0


@dataclass
class Service:
    """`countersign serve --workers 2`, and what it has logged so far."""

    process: "subprocess.Popen[str]"
    events: list[dict[str, Any]] = field(default_factory=list)

    def until(self, name: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th event of that name since the start."""
        while [event["event"] for event in self.events].count(name) < count:
            assert self.process.stderr is not None
            line = self.process.stderr.readline()
            assert line, self.events
            if line.startswith("{"):
                self.events.append(json.loads(line))
        return [event for event in self.events if event["event"] == name][count - 1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.until('workers')['port']}"

    def workers(self) -> set[int]:
        return {int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if parent(stat) == self.process.pid}


def parent(stat: Path) -> int | None:
    """The parent of a process that lives."""
    try:
        state, ppid, *_ = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(ppid)


def gone(pids: set[int]) -> bool:
    """Whether all of these processes end before long."""
    until = time.monotonic() + PATIENCE
    while any(parent(Path(f"/proc/{pid}/stat")) is not None for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def start(bundle: Path, folder: Path, *flags: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "countersign", "serve", "--workers", "2", "--threads", "1", "--port", "0"]
    given = ["--models", str(bundle), "--database", str(folder / "people.sqlite"), *flags]
    return subprocess.Popen([*command, *given], env=environment_without_settings(), stderr=subprocess.PIPE, text=True)


@contextmanager
def running(bundle: Path, folder: Path, *flags: str) -> Iterator[Service]:
    service = Service(start(bundle, folder, *flags))
    try:
        service.until("serving", 2)
        yield service
    finally:
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        service.process.kill()
        service.process.communicate()


@contextmanager
def connection(address: str) -> Iterator[Callable[[ImageSample], bool]]:
    """Claims to be Ada over a connection that no other channel of this process shares."""
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = verification_pb2_grpc.VerificationServiceStub(channel)

        def claim(sample: ImageSample) -> bool:
            request = verification_pb2.VerifyRequest(collection="staff", person="ada")
            request.samples.add().image.data = sample.data
            return bool(stub.Verify(request, timeout=PATIENCE).accepted)

        yield claim


def connections_of(pid: int, port: int) -> int:
    """How many connections to `port` this process has taken."""
    established, sockets = "01", set()
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    for line in (line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]):
        _, local, _, state, *rest = line.split()
        if state == established and int(local.rpartition(":")[2], 16) == port:
            sockets.add(f"socket:[{rest[5]}]")
    return sum(os.readlink(one) in sockets for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink())


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system as Linux tells it")
def test_two_processes_answer_at_one_port_count_together_and_drain(bundle: Path, face: Face, tmp_path: Path) -> None:
    flags = ["--metrics-port", "0", "--drain-delay", "0.5", "--max-waiting", "100"]
    with running(bundle, tmp_path, *flags) as service, ExitStack() as stack:
        workers = service.workers()
        assert len(workers) == 2
        address, port = service.address, int(service.until("workers")["port"])
        with Client(address, timeout=PATIENCE) as client:
            client.enroll("staff", "ada", [face(1)])
        claims = [stack.enter_context(connection(address)) for _ in range(24)]
        assert all(claim(face(1, 5)) for claim in claims)
        taken = [connections_of(pid, port) for pid in workers]
        assert sum(taken) >= 24
        assert min(taken) > 0, "the system deals connections out to both"
        metrics = f"http://127.0.0.1:{service.until('metrics')['port']}/metrics"
        with urlopen(metrics) as answer:
            told = answer.read().decode()
        [verified] = [
            line for line in told.splitlines() if line.startswith("countersign_requests") and "/Verify" in line
        ]
        assert float(verified.rpartition(" ")[2]) == 24

        service.process.send_signal(signal.SIGTERM)
        service.until("draining", 2)
        # During the drain delay calls are still answered.
        assert all(claim(face(1, 6)) for claim in claims[:4])
        service.until("stopped", 2)
        assert service.process.wait(PATIENCE) == 0
        assert gone(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system as Linux tells it")
def test_a_killed_worker_is_replaced_and_a_killed_parent_takes_all_with_it(
    bundle: Path, face: Face, tmp_path: Path
) -> None:
    with running(bundle, tmp_path) as service:
        address = service.address
        with Client(address, timeout=PATIENCE) as client:
            client.enroll("staff", "ada", [face(1)])
        before = service.workers()
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        assert service.until("worker_ended")["code"] == -signal.SIGKILL
        # The one that is left takes every new connection meanwhile.
        with Client(address, timeout=PATIENCE) as client:
            assert client.verify("staff", "ada", [face(1, 5)]).accepted
        service.until("serving", 3)
        after = service.workers()
        assert len(after) == 2
        assert after & before == before - {killed}
        for _ in range(8):
            with Client(address, timeout=PATIENCE) as client:
                assert client.verify("staff", "ada", [face(1, 5)]).accepted

        service.process.kill()
        service.process.wait(PATIENCE)
        assert gone(after), "nobody is left who would hold the port"


@pytest.mark.parametrize("kind", ["bundle", "policy", "port"])
def test_workers_that_cannot_start_end_the_service_as_one_process_would(
    bundle: Path, make_policy: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    (tmp_path / "foreign.json").write_bytes(make_policy("f" * 64).to_json())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags, code, words = {
            "bundle": (["--models", str(tmp_path / "missing")], 6, "missing"),
            "policy": (["--policies", str(tmp_path / "foreign.json")], 5, "ffffffffffff"),
            "port": (["--port", str(taken.getsockname()[1])], 8, "COUNTERSIGN_PORT"),
        }[kind]
        process = start(bundle, tmp_path, *flags)
        _, text = process.communicate(timeout=60)
    assert process.returncode == code, text
    [line] = [line for line in text.splitlines() if line.startswith("error: ")]
    assert words in line
    assert "Traceback" not in text


def test_a_store_in_memory_cannot_be_shared() -> None:
    with pytest.raises(ConfigError, match="share") as caught:
        asyncio.run(supervise(ServiceSettings(workers=2, database="memory:", port=0)))
    assert caught.value.field == "workers"


def test_a_port_is_reserved_for_those_who_share_it_and_for_nobody_else() -> None:
    with reserved_port(ServiceSettings(port=0)) as port:
        with socket.socket() as shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(("127.0.0.1", port))
        with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", port)):
            pass
        # Another service would otherwise take half of the calls.
        with pytest.raises(AddressInUse, match=str(port)), reserved_port(ServiceSettings(port=port)):
            pass
    with reserved_port(ServiceSettings(port=port)) as again:
        assert again == port
