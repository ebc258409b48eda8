"""Policy files in place of those sealed into the bundles: used by the running service, or refused before it listens."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from countersign.main import app
from encode.bundle import open_bundle
from encode.errors import BundleCorrupt, ConfigError, CountersignError, PolicyMismatch
from encode.sample import ImageSample, Modality
from enroll.stores.memory import MemoryStore
from verify.client.client import Client
from verify.model import load_models
from verify.policy import Policy
from verify.server_thread import serving
from verify.serving import serve
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
Seal = Callable[..., Path]
MakePolicy = Callable[..., Policy]
RATE = {"value": 0.01, "low": 0.005, "high": 0.02}
ALWAYS = [{"target_far": 0.001, "threshold": -1e9, "achieved_far": RATE, "frr": RATE}]
NEVER = [{"target_far": 0.001, "threshold": 1e9, "achieved_far": RATE, "frr": RATE}]


@pytest.fixture
def written(tmp_path: Path, bundle: Path, make_policy: MakePolicy) -> Callable[..., Path]:
    """``written(name, digest=..., **changes)``: a policy file, by default of the bundle's model."""

    def write(name: str, digest: str | None = None, **changes: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(make_policy(digest or open_bundle(bundle).model_digest, **changes).to_json())
        return path

    return write


@pytest.mark.parametrize(("table", "accepted"), [(ALWAYS, True), (NEVER, False)])
def test_the_running_service_decides_by_the_file(
    bundle: Path, face: Face, written: Callable[..., Path], log: io.StringIO, table: list[Any], accepted: bool
) -> None:
    path = written("policy.json", table=table)
    models = load_models([bundle], [path], threads=1)
    with serving(models, MemoryStore()) as address, Client(address, timeout=20) as client:
        client.enroll("staff", "ada", [face(1), face(1, 1)])
        for shot in (face(1, 2), face(2)):
            answer = client.verify("staff", "ada", [shot])
            assert answer.accepted is accepted
            assert answer.policy_id == Policy.from_json(path.read_bytes()).id


def test_a_bundle_without_a_policy_is_served_with_a_file(seal: Seal, make_policy: MakePolicy, tmp_path: Path) -> None:
    bare = seal(tmp_path / "bare", policy=None)
    path = tmp_path / "policy.json"
    path.write_bytes(make_policy(open_bundle(bare).model_digest).to_json())
    [model] = load_models([bare], [path], threads=1).values()
    assert model.policy == Policy.from_json(path.read_bytes())


def test_each_modality_takes_its_own_and_the_other_keeps_the_sealed_one(
    seal: Seal, make_policy: MakePolicy, tmp_path: Path
) -> None:
    folders = [seal(tmp_path / "face"), seal(tmp_path / "signature", modality=Modality.SIGNATURE)]
    path = tmp_path / "policy.json"
    digest = open_bundle(folders[1]).model_digest
    path.write_bytes(make_policy(digest, modality=Modality.SIGNATURE, table=NEVER).to_json())
    models = load_models(folders, [path], threads=1)
    assert [row.threshold for row in models[Modality.SIGNATURE].policy.table] == [1e9]
    assert models[Modality.FACE].policy == Policy.from_json((folders[0] / "policy.json").read_bytes())


@pytest.mark.parametrize(
    ("changes", "error", "field", "told"),
    [
        (
            {"digest": "f" * 64},
            PolicyMismatch,
            "policy.json",
            "face model ffffffffffff…, not for the face model {digest}…",
        ),
        ({"modality": "signature"}, ConfigError, "policies", "is for signature samples, which no loaded model reads"),
        (None, BundleCorrupt, "policy.json", "does not parse"),
        ("missing", ConfigError, "policies", "cannot be read"),
        ("twice", ConfigError, "policies", "two policies are for face samples"),
    ],
    ids=["another model", "no such modality", "not a policy", "missing", "twice"],
)
def test_a_file_that_cannot_decide_stops_the_service_before_it_listens(
    bundle: Path,
    written: Callable[..., Path],
    tmp_path: Path,
    changes: Any,
    error: type[CountersignError],
    field: str,
    told: str,
) -> None:
    path = tmp_path / "policy.json"
    if isinstance(changes, dict):
        path = written("policy.json", **changes)
    elif changes is None:
        path.write_text('{"version": 1}')
    elif changes == "twice":
        written("policy.json")
    policies = (path, written("again.json")) if changes == "twice" else (path,)
    settings = ServiceSettings(port=0, models=(bundle,), policies=policies, database="memory:")
    with pytest.raises(error) as caught:
        asyncio.run(serve(settings))
    assert told.format(digest=open_bundle(bundle).model_digest[:12]) in caught.value.message
    assert (caught.value.field or "").endswith(field)


def test_serve_takes_policies_as_flags_and_says_why_it_does_not_start(
    bundle: Path, written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABASE", "memory:")
    foreign = written("foreign.json", digest="f" * 64)
    flags = ["serve", "--port", "0", "--model", str(bundle), "--policy", str(foreign)]
    result = CliRunner().invoke(app, flags)
    assert result.exit_code == 5
    assert f"error: {foreign}: the policy was made for the face model ffffffffffff…" in result.stderr
