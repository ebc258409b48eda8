"""The bill of materials: valid CycloneDX, whole, with licences, and the same each time."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from audit_dependencies import pinned
from releases import ROOT, closure, declared
from sbom import main


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    main(["--out", str(path)])
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_valid(text: str, told: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    # The validator sees what it should see.
    assert validator.validate_str(json.dumps({**told, "components": [{"name": "without a type"}]})) is not None


def test_it_holds_the_serving_install_at_the_pinned_releases_and_nothing_else(told: dict[str, Any]) -> None:
    held = {one["name"]: one["version"] for one in told["components"] if one["type"] == "library"}
    pins = pinned(ROOT / "constraints.txt")
    assert held == {name: pins[name] for name in closure(declared(["cpu"]))}
    assert held["grpcio"] == version("grpcio")
    assert "torch" not in held
    assert "scikit-learn" not in held


def test_everything_has_a_licence(told: dict[str, Any]) -> None:
    assert [one["name"] for one in told["components"] if not one["licenses"]] == []
    licences = {one["name"]: one["licenses"] for one in told["components"]}
    assert licences["cryptography"] == [{"expression": "Apache-2.0 OR BSD-3-Clause"}]
    assert licences["markdown-it-py"] == [{"license": {"id": "MIT"}}]


def test_it_says_what_wheels_bring_along(told: dict[str, Any]) -> None:
    [cryptography] = [one for one in told["components"] if one["name"] == "cryptography"]
    assert "openssl" in {one["name"].lower().partition("-")[0] for one in cryptography["components"]}


def test_it_holds_every_model_bundle_by_its_digests(told: dict[str, Any]) -> None:
    models = {one["name"]: one for one in told["components"] if one["type"] == "machine-learning-model"}
    assert set(models) == {path.parent.name for path in ROOT.glob("models/*/manifest.json")}
    encoder = ROOT / "models" / "face" / "encoder.onnx"
    [part] = [one for one in models["face"]["components"] if one["name"] == encoder.name]
    assert part["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(encoder.read_bytes()).hexdigest()}]


def test_every_reference_leads_somewhere_and_is_made_once(told: dict[str, Any]) -> None:
    refs = [told["metadata"]["component"]["bom-ref"]]
    for one in told["components"]:
        refs += [one["bom-ref"], *(inner["bom-ref"] for inner in one.get("components", ()))]
    assert len(refs) == len(set(refs))
    for dependency in told["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= set(refs)


def test_it_is_the_same_each_time_and_holds_no_time(text: str, told: dict[str, Any], tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "again.json")])
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == text
    assert "timestamp" not in told["metadata"]
