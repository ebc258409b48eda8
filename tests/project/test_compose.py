"""The compose file takes every right away that the service does not need, and keeps keys apart from the data."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from verify.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    [only] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"].values()
    found: dict[str, Any] = only
    return found


def test_it_runs_with_as_few_rights_as_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert f"USER {service['user']}" in DOCKERFILE
    assert {"pids_limit", "mem_limit", "cpus"} <= service.keys()
    assert "privileged" not in service
    assert "network_mode" not in service


def test_it_is_published_on_loopback_unless_told_otherwise(service: dict[str, Any]) -> None:
    assert service["ports"] == ["${PUBLISH:-127.0.0.1}:50051:50051"]


def test_its_environment_names_settings(service: dict[str, Any]) -> None:
    names = {f"COUNTERSIGN_{name.upper()}" for name in ServiceSettings.model_fields}
    assert set(service["environment"]) <= names
    [script] = service["entrypoint"][-1:]
    assert set(re.findall(r"COUNTERSIGN_\w+", script)) <= set(service["environment"])


def test_keys_are_in_a_volume_of_their_own_that_the_service_may_write(service: dict[str, Any]) -> None:
    mounts = dict(reversed(volume.split(":")) for volume in service["volumes"])
    assert set(mounts) == {"/data", "/keys"}
    assert len(set(mounts.values())) == 2
    [made] = re.findall(r"install -d -o 10001 -g 10001 -m 0700 (.*)", DOCKERFILE)
    assert set(mounts) <= set(made.split())
    assert service["environment"]["COUNTERSIGN_KEY_FILE"].startswith("/keys/")
    assert service["environment"]["COUNTERSIGN_KEY_DATABASE"].startswith("/keys/")


def test_the_service_itself_becomes_process_one_and_has_time_to_drain(service: dict[str, Any]) -> None:
    shell, flags, script = service["entrypoint"]
    assert (shell, flags) == ("sh", "-ec")
    assert script.strip().splitlines()[-1].strip() == "exec countersign serve"
    grace = ServiceSettings.model_fields["grace_seconds"].default
    assert int(service["stop_grace_period"].removesuffix("s")) > grace
