"""The metrics over HTTP: where they are, where they are not, and who may hold a thread of them."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter

from encode.errors import AddressInUse, ConfigError
from verify.metrics import Metrics
from verify.observing import endpoint as endpoint_module
from verify.observing.counting import counting
from verify.observing.endpoint import MetricsEndpoint
from verify.observing.prometheus import PrometheusMetrics
from verify.settings import ServiceSettings, service_settings


def read(port: int, host: str = "127.0.0.1") -> str:
    with urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_what_is_registered_can_be_read(registry: CollectorRegistry) -> None:
    Counter("things", "Counted.", registry=registry).inc(3)
    with MetricsEndpoint("127.0.0.1", 0, registry) as endpoint:
        assert "things_total 3.0" in read(endpoint.port)
    with pytest.raises(OSError, match="refused"):
        read(endpoint.port)


def test_a_port_that_is_taken_is_named(registry: CollectorRegistry) -> None:
    with (
        MetricsEndpoint("127.0.0.1", 0, registry) as first,
        pytest.raises(AddressInUse, match=str(first.port)) as caught,
    ):
        MetricsEndpoint("127.0.0.1", first.port, registry)
    assert caught.value.field == "metrics_port"
    assert "--metrics-port" in (caught.value.fix or "")


def test_addresses_of_ipv6_are_listened_on(registry: CollectorRegistry) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with MetricsEndpoint("::1", 0, registry) as endpoint:
        read(endpoint.port, "[::1]")


def test_who_says_nothing_is_hung_up_on(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module._Handler, "timeout", 0.05)
    with (
        MetricsEndpoint("127.0.0.1", 0, registry) as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port), timeout=10) as silent,
    ):
        assert silent.recv(1) == b""


def test_without_a_port_nothing_is_counted_and_nothing_listens() -> None:
    with counting(ServiceSettings()) as metrics:
        assert type(metrics) is Metrics


def test_with_a_port_this_machine_alone_may_read(capfd: pytest.CaptureFixture[str]) -> None:
    assert ServiceSettings(metrics_port=0).metrics_host == "127.0.0.1"
    with counting(ServiceSettings(metrics_port=0)) as metrics:
        assert isinstance(metrics, PrometheusMetrics)


def test_a_collector_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        service_settings(traces_endpoint="collector:4318")
    assert caught.value.field == "traces_endpoint"


def test_the_command_tells_its_metrics_until_it_stops(bundle: Path, tmp_path: Path) -> None:
    flags = ["--port", "0", "--models", str(bundle), "--database", "memory:", "--metrics-port", "0"]
    command = [sys.executable, "-m", "countersign", "serve", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        try:
            ports = {}
            for line in process.stderr:
                told = json.loads(line)
                ports[told["event"]] = told.get("port")
                if "serving" in ports:
                    break
            text = read(ports["metrics"])
            assert 'role="active"' in text
            assert "_created" not in text
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
