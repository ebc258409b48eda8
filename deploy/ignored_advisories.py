"""The list of advisories that are known and do not stop the build: each with a reason and an end."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packaging.utils import canonicalize_name

_KEYS = {"id", "package", "reason", "expires"}
_SHORTEST_REASON = 15


class ListWrong(Exception):
    """The list cannot be used; the text says where."""


@dataclass(frozen=True)
class Ignored:
    """One entry. `expires` is the last day on which it counts."""

    id: str
    package: str
    reason: str
    expires: date

    def covers(self, package: str, names: Sequence[str]) -> bool:
        """Whether it is about an advisory of that package that goes by one of these names."""
        return self.id in names and canonicalize_name(self.package) == canonicalize_name(package)


def read_ignored(path: Path, *, latest: date) -> list[Ignored]:
    """The entries of a file, none of which may last beyond `latest`. Raises ListWrong."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ListWrong(f"{path} cannot be read: {error}") from error
    entries = told.pop("ignored", [])
    if told or not isinstance(entries, list):
        raise ListWrong(f"{path} holds more than [[ignored]]: {', '.join(told)}")
    return [_entry(path, number, entry, latest) for number, entry in enumerate(entries, 1)]


def _entry(path: Path, number: int, entry: object, latest: date) -> Ignored:
    where = f"{path}, entry {number}"
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise ListWrong(f"{where} must have exactly {', '.join(sorted(_KEYS))}")
    if type(entry["expires"]) is not date:
        raise ListWrong(f"{where}: expires is a date such as 2026-12-31, without quotes")
    if entry["expires"] > latest:
        raise ListWrong(f"{where}: expires lies beyond {latest}, the latest there may be today")
    if not all(isinstance(entry[key], str) and entry[key].strip() for key in ("id", "package", "reason")):
        raise ListWrong(f"{where}: id, package and reason are texts")
    if len(entry["reason"].strip()) < _SHORTEST_REASON:
        raise ListWrong(f"{where}: the reason says too little")
    return Ignored(entry["id"].strip(), entry["package"].strip(), entry["reason"].strip(), entry["expires"])
