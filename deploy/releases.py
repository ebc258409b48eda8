"""What the project is installed from: what pyproject.toml declares and all that those need in turn, as installed."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared(extras: Iterable[str]) -> list[Requirement]:
    """What pyproject.toml asks for on this platform, for serving and the extras named."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate({"extra": ""})]


def needs(requirement: Requirement) -> Iterator[Requirement]:
    """What a requirement needs on this platform, by the metadata of what is installed; nothing if it is not."""
    try:
        lines = requires(requirement.name) or []
    except PackageNotFoundError:
        return
    for inner in map(Requirement, lines):
        if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in requirement.extras or {""}):
            yield inner


def graph(requirements: Iterable[Requirement]) -> dict[str, set[str]]:
    """Name of each requirement and of all that they need in turn → names of what it needs itself."""
    found: dict[str, set[str]] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked = (name, frozenset(requirement.extras))
        if asked in seen:
            continue
        seen.add(asked)
        inner = list(needs(requirement))
        found.setdefault(name, set()).update(canonicalize_name(one.name) for one in inner)
        waiting += inner
    return found


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """The names of the requirements and of all that those need in turn."""
    return set(graph(requirements))
