"""How a server begins and ends: refusals to start, each with its words and exit code, and signals to a real process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from encode.errors import (
    AddressInUse,
    BundleIncomplete,
    ConfigError,
    CountersignError,
    PolicyMismatch,
    StoreUnavailable,
)
from encode.sample import ImageSample, Modality
from enroll.access.grants import EVERYTHING
from enroll.access.tokens import TokenStore
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.client.client import Client
from verify.model import Model, load_models
from verify.server import open_store
from verify.server_thread import serving
from verify.serving import serve
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


def test_a_taken_port_is_a_typed_error(models: Mapping[Modality, Model]) -> None:
    with serving(models, MemoryStore()) as address:
        port = int(address.rsplit(":", 1)[1])
        second = serving(models, MemoryStore(), ServiceSettings(port=port))
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}") as caught, second:
            pass
    assert caught.value.field == "port"
    assert "COUNTERSIGN_PORT" in str(caught.value)


def test_another_machines_address_is_a_typed_error(models: Mapping[Modality, Model], tmp_path: Path) -> None:
    settings = ServiceSettings(host="192.0.2.1", port=0, insecure_plaintext=True)
    with closing(open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))) as store:
        TokenStore(store.database, store.keys).create("kiosk", EVERYTHING, lifetime=None)
        with pytest.raises(AddressInUse), serving(models, store, settings):
            pass


def test_an_unwritable_database_is_a_typed_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store(StorePlace(str(tmp_path / "missing" / "people.sqlite")))
    assert caught.value.field == "database"
    assert "COUNTERSIGN_DATABASE" in str(caught.value)
    assert "missing" in str(caught.value)


def test_stores_are_chosen_by_the_setting(tmp_path: Path) -> None:
    assert isinstance(open_store(StorePlace("memory:")), MemoryStore)
    store = open_store(StorePlace(str(tmp_path / "people.sqlite")))
    assert isinstance(store, SqlStore)
    store.close()


def test_bundles_not_fit_to_serve_are_refused(
    seal: Callable[..., Path], make_policy: Callable[..., Any], bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleIncomplete, match="no policy") as caught:
        load_models([seal(tmp_path / "unmeasured", policy=None)])
    assert caught.value.field == "policy.json"
    foreign = make_policy("f" * 64).to_json()
    with pytest.raises(PolicyMismatch, match="ffffffffffff"):
        load_models([seal(tmp_path / "foreign", policy=foreign)])
    with pytest.raises(ConfigError, match="two bundles"):
        load_models([bundle, bundle], threads=1)
    with pytest.raises(ConfigError, match="no model bundle"):
        load_models([])


def test_serving_fails_before_it_listens_when_a_bundle_is_corrupt(bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for part in bundle.iterdir():
        (damaged / part.name).write_bytes(part.read_bytes())
    (damaged / "encoder.onnx").write_bytes(b"not a network")
    settings = ServiceSettings(port=0, models=(damaged,), database="memory:")
    with pytest.raises(CountersignError) as caught:
        asyncio.run(serve(settings))
    assert (caught.value.reason, caught.value.field) == ("BUNDLE_DIGEST_MISMATCH", "encoder.onnx")


SERVE = [
    sys.executable,
    "-c",
    "import typer; from countersign.commands.serve import serve; a = typer.Typer(); a.command()(serve); a()",
]


def start(*flags: str, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    return subprocess.Popen([*SERVE, *flags], env={**clean, **environment}, stderr=subprocess.PIPE, text=True)


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{"):
            yield json.loads(line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_a_real_process_and_ends_it_cleanly(
    bundle: Path, face: Face, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(
        "--port", "0", "--drain-delay", "0.5", COUNTERSIGN_MODELS=str(bundle), COUNTERSIGN_DATABASE=str(tmp_path / "db")
    )
    try:
        log = events(process)
        serving_event = next(event for event in log if event["event"] == "serving")
        assert serving_event["host"] == "127.0.0.1"
        with Client(f"127.0.0.1:{serving_event['port']}") as client:
            client.enroll("staff", "ada", [face(1)])
            assert client.healthy()
            process.send_signal(number)
            assert next(event for event in log if event["event"] == "draining")
            # During the drain delay health is down for good and calls are still answered.
            while client.healthy():
                pass
            assert client.verify("staff", "ada", [face(1, 4)]).accepted
        assert [event["event"] for event in log][-1] == "stopped"
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_second_signal_ends_the_wait(bundle: Path) -> None:
    process = start("--port", "0", "--drain-delay", "600", "--models", str(bundle), "--database", "memory:")
    try:
        log = events(process)
        assert next(event for event in log if event["event"] == "serving")
        process.send_signal(signal.SIGTERM)
        assert next(event for event in log if event["event"] == "draining")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["port in use", "database", "bundle", "setting"])
def test_a_process_that_cannot_start_says_why_and_how_in_its_exit_code(bundle: Path, tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = {
            "port in use": ["--port", str(taken.getsockname()[1])],
            "database": ["--port", "0", "--database", str(tmp_path / "missing" / "db")],
            "bundle": ["--port", "0", "--models", str(tmp_path)],
            "setting": ["--port", "70000"],
        }[kind]
        process = start("--models", str(bundle), "--database", "memory:", *flags)
        _, text = process.communicate(timeout=60)
    code, words = {
        "port in use": (8, ["port", "COUNTERSIGN_PORT"]),
        "database": (7, ["database", "COUNTERSIGN_DATABASE", "missing"]),
        "bundle": (6, ["manifest.json"]),
        "setting": (8, ["port", "COUNTERSIGN_PORT", "65535"]),
    }[kind]
    assert process.returncode == code, text
    [line] = [line for line in text.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in words)
    assert "Traceback" not in text
