"""`countersign health` tells a container engine by its exit code whether the service is ready."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import typer
from grpc_health.v1 import health as health_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from countersign.commands.health import health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

app = typer.Typer()
app.command()(health)
runner = CliRunner()


@pytest.fixture
def checkup() -> Iterator[tuple[health_service.HealthServicer, int]]:
    """A server that answers health checks alone, and its port."""
    servicer = health_service.HealthServicer()
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, port
    server.stop(None).wait()


def test_a_ready_service_is_healthy(checkup: tuple[health_service.HealthServicer, int]) -> None:
    servicer, port = checkup
    servicer.set("", SERVING)
    result = runner.invoke(app, ["--address", f"127.0.0.1:{port}"])
    assert (result.exit_code, result.output) == (0, "serving\n")


def test_a_draining_service_is_not(checkup: tuple[health_service.HealthServicer, int]) -> None:
    servicer, port = checkup
    servicer.set("", NOT_SERVING)
    result = runner.invoke(app, ["--address", f"127.0.0.1:{port}"])
    assert (result.exit_code, result.output) == (1, "not serving\n")


def test_a_service_that_listens_on_every_address_is_asked_on_loopback(
    checkup: tuple[health_service.HealthServicer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the image: the probe has no flags and follows the settings of the service."""
    servicer, port = checkup
    servicer.set("", SERVING)
    monkeypatch.setenv("COUNTERSIGN_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("COUNTERSIGN_PORT", str(port))
    result = runner.invoke(app, [])
    assert (result.exit_code, result.output) == (0, "serving\n")


def test_nobody_there_is_not_healthy() -> None:
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        port = bound_but_deaf.getsockname()[1]
        result = runner.invoke(app, ["--address", f"127.0.0.1:{port}", "--timeout", "5"])
    assert result.exit_code == 4
    assert result.output.startswith("error: ")


def test_an_unusable_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORT", "fifty")
    result = runner.invoke(app, [])
    assert result.exit_code == 8
    assert "COUNTERSIGN_PORT" in result.output
