"""The service as the demonstration runs it: a process of its own, ready when handed over, gone afterwards."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from countersign.demo.service import running_service
from encode.errors import ConfigError, ServiceFailed, ServiceUnavailable
from verify.client.client import Client


def events(log: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def test_it_answers_inside_the_block_and_has_drained_after_it(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Settings of another service on this machine, which must not reach this one.
    monkeypatch.setenv("COUNTERSIGN_MAX_WAITING", "minus one")
    monkeypatch.setenv("COUNTERSIGN_PORT", "1")
    log = tmp_path / "logs" / "service.log"
    with running_service([bundle], log) as address:
        with Client(address) as client:
            assert client.healthy()
            assert [model.name for model in client.list_models()] == ["linear"]
        assert "stopped" not in events(log)
    life = [event for event in events(log) if event in {"serving", "draining", "stopped"}]
    assert life == ["serving", "draining", "stopped"]
    with Client(address, timeout=5) as client, pytest.raises(ServiceUnavailable):
        client.healthy()


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(ServiceUnavailable, match=r"ended with exit code 6: manifest\.json: ") as caught,
        running_service([tmp_path / "nothing"], tmp_path / "service.log"),
    ):
        pytest.fail("it never gets ready")
    assert str(tmp_path / "service.log") in str(caught.value.fix)


def test_the_process_is_ended_when_the_block_fails(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with pytest.raises(KeyError, match="inside"), running_service([bundle], log):
        raise KeyError("inside")
    assert events(log)[-1] == "stopped"


def test_a_service_that_dies_meanwhile_is_told(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Remembered)
    with pytest.raises(ServiceFailed, match="exit code -9"), running_service([bundle], tmp_path / "service.log"):
        started[0].kill()


def test_a_log_that_cannot_be_written_names_the_folder(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"service\.log cannot be written") as caught,
        running_service([bundle], tmp_path / "file" / "service.log"),
    ):
        pytest.fail("it never starts")
    assert caught.value.field == "out"
