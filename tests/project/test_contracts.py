"""The contracts between the parts hold: who may import whom, and what may travel on the wire."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["countersign", "train", "eval", "verify", "enroll", "encode"]


def test_import_contracts_pass(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    broken = lint_imports(no_cache=True, config_filename=str(ROOT / "pyproject.toml"))
    assert broken == 0, capsys.readouterr().out


def test_import_contracts_say_what_the_design_says() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["layers"] for contract in contracts if contract["type"] == "layers"] == [STAGES]
    forbidden = {
        name for contract in contracts if contract["type"] == "forbidden" for name in contract["forbidden_modules"]
    }
    assert {"torch", "grpc"} <= forbidden


@pytest.fixture(scope="module")
def buf() -> str:
    beside_python = Path(sys.executable).with_name("buf")
    found = str(beside_python) if beside_python.exists() else shutil.which("buf")
    assert found, "buf comes with the test extra (buf-bin)"
    return found


def test_wire_contract_passes_buf(buf: str) -> None:
    result = subprocess.run([buf, "lint", "proto"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_buf_lint_sees_the_wire_contract(buf: str) -> None:
    """An empty module would pass the lint too."""
    result = subprocess.run([buf, "ls-files", "proto"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(result.stdout.split()) == sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / "proto").rglob("*.proto")
    )
    assert result.stdout.strip()
