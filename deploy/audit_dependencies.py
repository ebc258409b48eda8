"""Do published advisories stand against the releases that the project is built from?

    python deploy/audit_dependencies.py [--unreached warn] [further options of pip-audit]

pip-audit asks an advisory service about every release of constraints.txt. By itself it calls an audit clean in which
it could ask nothing: releases that a service does not know are left out, and a mirror of the index that holds no
advisories knows none. Here nothing is clean that was not asked about.

Exit codes:

    0   every release was asked about; no advisory stands but those of deploy/advisories-ignored.toml
    1   an advisory stands, or the reason for ignoring one has expired
    2   the list of ignored advisories, or the command line, is wrong
    3   some release could not be asked about, so that nothing is known of it; 0 with `--unreached warn`, and a notice
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ignored_advisories import Ignored, ListWrong, read_ignored
from releases import ROOT

CLEAN, STANDING, WRONG, UNREACHED = 0, 1, 2, 3
_WIDTH = 100


@dataclass(frozen=True)
class Advisory:
    """One advisory against one release; `names` are its id and its aliases."""

    package: str
    version: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fix = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no release fixes it"
        return f"{self.package} {self.version}: {', '.join(self.names)}; {fix}"


@dataclass(frozen=True)
class Answer:
    """What a service said: advisories of the releases it knows, and why nothing is known of the others."""

    advisories: tuple[Advisory, ...]
    unknown: Mapping[str, str]


def pinned(constraints: Path) -> dict[str, str]:
    """Name → version of every line. Raises ValueError for a line that is no exact release."""
    found = {}
    for line in constraints.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            requirement = Requirement(line)
            [only] = requirement.specifier
            if only.operator != "==":
                raise ValueError(f"{line} is no exact release")
            found[canonicalize_name(requirement.name)] = only.version
    return found


def ask(constraints: Path, options: Sequence[str]) -> str:
    """What pip-audit prints about the releases, or an empty text where it failed; its complaint goes to stderr."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off", *options], capture_output=True, text=True
    )
    if not done.stdout.strip():
        print("pip-audit: " + (done.stderr.strip().splitlines() or ["no answer"])[-1], file=sys.stderr)
    return done.stdout


def read(printed: str, wanted: Mapping[str, str]) -> Answer:
    """The answer in what pip-audit printed; whatever was `wanted` and is not in it is unknown."""
    try:
        told: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer((), dict.fromkeys(wanted, "the advisory service was not reached"))
    asked = {canonicalize_name(one["name"]): one for one in told if one.get("version")}
    skipped = {canonicalize_name(one["name"]): str(one.get("skip_reason")) for one in told if not one.get("version")}
    unknown = {
        name: skipped.get(name, "not in the answer")
        for name, version in wanted.items()
        if name not in asked or asked[name]["version"] != version
    }
    advisories = tuple(
        Advisory(name, one["version"], (found["id"], *found.get("aliases", ())), tuple(found.get("fix_versions", ())))
        for name, one in sorted(asked.items())
        for found in one.get("vulns", ())
    )
    return Answer(advisories, unknown)


def judge(answer: Answer, wanted: Mapping[str, str], ignored: Sequence[Ignored], today: date) -> int:
    """Tell what stands, and the exit code that follows, were nothing unreached forgiven."""
    standing, used = [], set()
    for advisory in answer.advisories:
        entry = next((one for one in ignored if one.covers(advisory.package, advisory.names)), None)
        if entry is None:
            standing.append(str(advisory))
            continue
        used.add(entry)
        if entry.expires < today:
            standing.append(f"{advisory}; ignored until {entry.expires}: decide anew")
        else:
            print(f"ignored until {entry.expires}: {advisory} ({entry.reason})")
    for entry in ignored:
        if entry not in used and not answer.unknown:
            print(f"no longer needed in the list of ignored advisories: {entry.id} of {entry.package}")
        elif entry not in used and entry.expires < today:
            standing.append(f"{entry.package}: {entry.id} was ignored until {entry.expires}: decide anew")
    for line in standing:
        print(f"STANDS: {line}", file=sys.stderr)
    checked = len(wanted) - len(answer.unknown)
    print(f"{checked} of {len(wanted)} releases asked about, {len(standing)} advisories stand")
    if standing:
        return STANDING
    return UNREACHED if answer.unknown else CLEAN


def notice(answer: Answer) -> None:
    """Say what was not asked about so that nobody overlooks it."""
    reasons = sorted(set(answer.unknown.values()))
    names = sorted(answer.unknown)
    print(
        "\n".join(
            [
                "!" * _WIDTH,
                f"NOT CHECKED for advisories: {len(names)} releases. That is not to say that none stands.",
                f"  {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}",
                f"  {reasons[0]}",
                "  Run it where the advisory service can be reached: make audit-dependencies",
                "!" * _WIDTH,
            ]
        ),
        file=sys.stderr,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--ignored", type=Path, default=ROOT / "deploy" / "advisories-ignored.toml")
    parser.add_argument("--unreached", choices=("fail", "warn"), default="fail")
    given, options = parser.parse_known_args(arguments)
    today = datetime.now(UTC).date()
    try:
        ignored = read_ignored(given.ignored, latest=today + timedelta(days=366))
        wanted = pinned(given.constraints)
    except (ListWrong, ValueError) as error:
        print(error, file=sys.stderr)
        return WRONG
    answer = read(ask(given.constraints, options), wanted)
    code = judge(answer, wanted, ignored, today)
    if answer.unknown:
        notice(answer)
    return CLEAN if code == UNREACHED and given.unreached == "warn" else code


if __name__ == "__main__":
    sys.exit(main())
