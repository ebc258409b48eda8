"""`countersign serve` starts, enrolls and verifies where neither training nor evaluation packages are installed."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from encode.sample import ImageSample
from verify.client.client import Client

# A fresh interpreter in which these cannot be imported, as if they were not installed.
SERVE = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        refused = {"torch", "torchvision", "onnx", "onnxscript", "sklearn", "pyarrow", "matplotlib", "opentelemetry"}
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Refuse())
from countersign.main import run
sys.argv = ["countersign", "serve", *sys.argv[1:]]
run()
"""


def test_the_service_runs_without_torch(bundle: Path, face: Callable[..., ImageSample], tmp_path: Path) -> None:
    flags = ["--port", "0", "--models", str(bundle), "--database", str(tmp_path / "people.sqlite")]
    command = [sys.executable, "-c", SERVE, *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        try:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if '"serving"' in line:
                    break
            assert lines, "the service ended without a word"
            assert '"serving"' in lines[-1], "".join(lines)
            with Client(f"127.0.0.1:{json.loads(lines[-1])['port']}", timeout=20) as client:
                assert client.healthy()
                client.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
                assert client.verify("staff", "ada", [face(1, 9)]).accepted
                assert not client.verify("staff", "ada", [face(2, 0)]).accepted
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
