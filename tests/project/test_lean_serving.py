"""Serving and evaluating need no torch; serving needs nothing of the evaluator's either.

Each test runs a fresh interpreter in which the packages named cannot be imported, as if they were not installed.
"""

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ("torch", "torchvision", "onnx", "onnxscript", "tensorboard")
EVALUATION = ("sklearn", "pyarrow", "matplotlib", "jinja2", "pandas")

_REFUSE = """
    import importlib, importlib.abc, pkgutil, sys

    refused = set(sys.argv[1].split(","))

    class Refuse(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in refused:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return None

    sys.meta_path.insert(0, Refuse())
"""

_IMPORT_ALL = """
    for package in sys.argv[2].split(","):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, package + "."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
                print(found.name)
"""


def run_without(refused: tuple[str, ...], script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a fresh interpreter in which the packages named in `refused` are missing."""
    program = textwrap.dedent(_REFUSE) + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, ",".join(refused), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_refused_package_cannot_be_imported() -> None:
    """Else the tests below would prove nothing."""
    result = run_without(("json",), "import json")
    assert result.returncode != 0
    assert "No module named 'json'" in result.stderr


@pytest.mark.parametrize("package", ["encode", "enroll", "verify", "countersign"])
def test_every_serving_module_imports_without_training_and_evaluation(package: str) -> None:
    result = run_without(TRAINING + EVALUATION, _IMPORT_ALL, package)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split(), package


def test_every_evaluation_module_imports_without_training() -> None:
    result = run_without(TRAINING, _IMPORT_ALL, "eval")
    assert result.returncode == 0, result.stderr
    assert "eval.measures.metrics" in result.stdout.split()


def test_no_help_text_imports_torch(commands: dict[tuple[str, ...], Any]) -> None:
    """Each command explains itself in an interpreter without torch; training is imported when it runs."""
    script = """
        from contextlib import suppress
        from countersign.main import run

        for words in sys.argv[2:]:
            sys.argv = ["countersign", *words.split(), "--help"]
            with suppress(SystemExit):
                run()
            print("helped:", words)
    """
    result = run_without(TRAINING + EVALUATION, script, *(" ".join(path) for path in commands))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("helped:") == len(commands)
    assert result.stdout.count("Usage:") == len(commands)


def test_a_service_loads_of_scipy_what_the_image_holds() -> None:
    """The image leaves the rest out (Dockerfile), and a start is spared its time and memory."""
    script = (
        _IMPORT_ALL
        + """
    print(*sorted({name.split(".")[1] for name, module in sys.modules.items() if name.startswith("scipy.")}), sep=",")
    """
    )
    result = run_without(EVALUATION, script, "verify")
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.splitlines()[-1].split(","))
    kept = set(re.findall(r"! -name (\w+)", (ROOT / "Dockerfile").read_text(encoding="utf-8")))
    assert kept == {"_lib", "linalg", "special"}
    assert loaded - kept <= {"__config__", "_cyutility", "_distributor_init", "version"}
