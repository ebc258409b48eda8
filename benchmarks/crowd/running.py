"""`countersign serve` in a process of its own, as shipped but for what is asked otherwise, and what it takes."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench_verify import BUNDLE
from load.processes import rss_mib
from verify.settings import environment_without_settings

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers.

    Attributes
    ----------
    seconds : from the start of the process until health said SERVING.
    """

    address: str
    pid: int
    seconds: float

    def resident(self) -> float:
        """Resident memory of the process, in MiB."""
        return rss_mib(self.pid)


@contextmanager
def running(database: Path, *flags: str) -> Iterator[Running]:
    """A service on `database`, from its start until the block ends. Raises SystemExit if it does not come to answer."""
    port = _free_port()
    command = [sys.executable, "-m", "countersign", "serve", "--port", str(port), "--model", str(BUNDLE)]
    with (database.parent / "log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--database", str(database), *flags],
            stdout=log,
            stderr=log,
            env=environment_without_settings(),
        )
        try:
            _wait(port, process, database.parent / "log")
            yield Running(f"127.0.0.1:{port}", process.pid, time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as some:
        return int(some.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until health says SERVING. A connection of gRPC is tried only once there is one: it backs off for a second."""
    until = time.perf_counter() + _PATIENCE_SECONDS
    while process.poll() is None and time.perf_counter() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
            continue
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=60, wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
    raise SystemExit(log.read_text(encoding="utf-8"))
