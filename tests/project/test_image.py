"""The image is built from every package, from nothing that the build context leaves out, and without root."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# Joins continued lines, so that one instruction is one string.
INSTRUCTIONS = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
SERVICE = INSTRUCTIONS[max(i for i, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
COPIED = [
    source
    for line in INSTRUCTIONS
    if line.startswith("COPY ") and "--from=" not in line
    for source in line.split()[1:-1]
]


def in_context(source: str) -> bool:
    """Whether .dockerignore lets the path into the build: the last pattern that matches decides."""
    kept = True
    for pattern in (ROOT / ".dockerignore").read_text().splitlines():
        if pattern and not pattern.startswith("#") and fnmatch(source, pattern.removeprefix("!").removeprefix("**/")):
            kept = pattern.startswith("!")
    return kept


def test_every_copied_path_is_there_and_in_the_build_context() -> None:
    assert COPIED
    for source in COPIED:
        assert (ROOT / source).exists(), source
        assert in_context(source), source


def test_the_build_context_leaves_out_what_the_image_does_not_need() -> None:
    assert [name for name in (".git", ".venv", "tests", "docs", "demo-out", ".env") if in_context(name)] == []


def test_every_package_is_in_the_image() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {package.split(".")[0] for package in packages} <= set(COPIED)


def test_the_service_runs_without_root() -> None:
    users = [line.split()[1] for line in SERVICE if line.startswith("USER ")]
    assert users[-1:] == ["10001:10001"]


def test_the_image_is_installed_for_serving_alone() -> None:
    installs = [extras for line in INSTRUCTIONS for extras in re.findall(r"'\.\[([a-z,]+)\]'", line)]
    assert installs == ["cpu"]
