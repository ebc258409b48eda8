"""Nothing reports to anybody: ONNX Runtime's telemetry, on by default in its official builds, is off everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Under any of these ONNX Runtime stays silent by itself, and the tests would prove nothing.
SILENCERS = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
CI = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILD_ID", "BUILD_NUMBER")


def left_behind(home: Path, script: str) -> list[str]:
    """The files that a fresh interpreter leaves in an empty home after running the script."""
    environment = {name: value for name, value in os.environ.items() if name not in (*SILENCERS, *CI)}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**environment, "HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("module", ["encode.encoder", "verify.server", "train.export"])
def test_the_runtime_leaves_no_device_id_and_no_events(module: str, tmp_path: Path) -> None:
    script = f"import sys, {module}; assert 'onnxruntime' in sys.modules"
    assert [name for name in left_behind(tmp_path, script) if "onnxruntime" in name] == []


def test_only_one_module_imports_the_runtime() -> None:
    """The one that switches the telemetry off first."""
    importers = [
        str(path.relative_to(ROOT))
        for package in ("countersign", "train", "eval", "verify", "enroll", "encode", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        if "import onnxruntime" in path.read_text(encoding="utf-8")
    ]
    assert importers == ["encode/runtime.py"]
