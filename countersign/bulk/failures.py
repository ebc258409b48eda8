"""What of a batch could not be done, row by row: told in short on standard error, in full in a CSV or JSON file.

Columns `person,path,reason,field,message,fix`; `path` is empty where the whole of a person or trial is concerned and
nothing narrower.
"""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import typer

from encode.errors import ConfigError, CountersignError
from verify.v1.sample_pb2 import Problem


@dataclass(frozen=True, slots=True)
class Failed:
    """One row of the report."""

    person: str
    path: str
    reason: str
    field: str
    message: str
    fix: str

    @classmethod
    def of(cls, error: CountersignError, person: str, path: str = "") -> "Failed":
        return cls(person, path, error.reason, error.field or "", error.message, error.fix or "")

    @classmethod
    def unreadable(cls, error: OSError, person: str, path: str) -> "Failed":
        """A file that is not there, or may not be read."""
        why = error.strerror or type(error).__name__
        return cls(person, path, "FILE_UNREADABLE", "path", f"the file cannot be read: {why}", "check the path")

    @classmethod
    def told(cls, problem: Problem, person: str, path: str) -> "Failed":
        """A sample that the service could not use."""
        return cls(person, path, problem.reason, problem.field, problem.message, problem.fix)


COLUMNS = tuple(one.name for one in fields(Failed))


def require_report(file: Path | None) -> None:
    """Raise ConfigError unless a report can be written to `file`, before any work is done."""
    if file is None:
        return
    if file.suffix.lower() not in (".csv", ".json"):
        raise ConfigError(f"{file.name} ends neither in .csv nor in .json", field="failures", fix="name it so")
    if not file.parent.is_dir():
        raise ConfigError(f"there is no folder {file.parent}", field="failures", fix="make it first")


def write_report(failures: Sequence[Failed], file: Path) -> None:
    """Write every failure, also if there is none: the file then holds none."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        if file.suffix.lower() == ".json":
            json.dump([asdict(one) for one in failures], stream, indent=2, ensure_ascii=False)
            stream.write("\n")
            return
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in failures)


def print_failures(failures: Sequence[Failed], report: Path | None) -> None:
    """How many of each reason there are, the first of each in words, and where the rest is."""
    counts = Counter(one.reason for one in failures)
    for reason, count in counts.most_common():
        first = next(one for one in failures if one.reason == reason)
        of = ", ".join(word for word in (first.person, first.path) if word)
        typer.echo(f"{count:,} × {reason}, first of {of}: {first.message} ({first.fix})", err=True)
    if failures and report is None:
        typer.echo("--failures FILE.csv lists them all", err=True)
