"""Every benchmark named bench_*.py, one after the other, and one table of what they report.

    python benchmarks/run_all.py --quick              # make bench: some minutes
    python benchmarks/run_all.py --only bench_verify --only bench_audit

Writes benchmarks.md and benchmarks.json into `--out`: the machine, and a row for each comparison with the ratio to the
baseline that was measured in the same run. The exit code is 1 if a script failed; whether a claim holds is told in the
table, as it depends on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import load, machine_facts
from report import Row, read_rows

HERE = Path(__file__).parent
SECONDS = 3_600
"""For one script: whatever hangs must not hold up the rest."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one script: `failure` is None if it ended well, `busy` the load of the machine before it began."""

    script: str
    seconds: float
    busy: float
    rows: Sequence[Row]
    failure: str | None


def scripts(only: Sequence[str]) -> list[Path]:
    """The benchmarks there are, or those named. Raises SystemExit if one is not there."""
    found = sorted(HERE.glob("bench_*.py"))
    if unknown := set(only) - {path.stem for path in found}:
        raise SystemExit(f"there is no {', '.join(sorted(unknown))} in {HERE.name}")
    return [path for path in found if not only or path.stem in only]


def run(script: Path, *, quick: bool) -> Run:
    """Run one in a process of its own, its output on ours."""
    busy, started = load(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        command = [sys.executable, str(script), "--rows", str(file), *(["--quick"] if quick else [])]
        try:
            code = subprocess.run(command, check=False, timeout=SECONDS, env=environment()).returncode
            failure = None if code == 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            failure = f"no end after {SECONDS} s"
        return Run(script.stem, round(time.perf_counter() - started, 1), busy, read_rows(file), failure)


def environment() -> dict[str, str]:
    """Ours, with one thread for small matrix products, as the service sets it."""
    return {"OPENBLAS_NUM_THREADS": "1", **os.environ}


def as_json(machine: dict[str, Any], runs: Sequence[Run]) -> str:
    told = [
        {
            **asdict(one),
            "rows": [asdict(row) | {"ratio": row.ratio, "holds": row.holds} for row in one.rows],
        }
        for one in runs
    ]
    return json.dumps({"machine": machine, "runs": told}, indent=2, ensure_ascii=False) + "\n"


def as_markdown(machine: dict[str, Any], runs: Sequence[Run]) -> str:
    software = ", ".join(f"{name} {version}" for name, version in machine["software"].items())
    lines = [
        "# Benchmarks",
        "",
        f"{machine['measured']}, revision {machine['revision']}: {machine['processors']} processors "
        f"({machine['processor']}), {machine['memory_gib']} GiB, {machine['system']}.",
        "",
        f"{software}.",
        "",
        "Ratio: ours to the baseline, both measured in the same run; in brackets quartiles of its rounds where there "
        "are several. n: measurements of each side. Load: of the machine before the script began.",
        "",
        "| what | ours | baseline | against | unit | ratio | claimed | holds | n | load | command |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in runs:
        lines += [_line(row, one.busy) for row in one.rows]
    if failed := [one for one in runs if one.failure is not None]:
        lines += ["", "Failed: " + ", ".join(f"{one.script} ({one.failure})" for one in failed) + "."]
    if silent := [one.script for one in runs if not one.rows and one.failure is None]:
        lines += ["", f"Without rows: {', '.join(silent)}."]
    took = ", ".join(f"{one.script} {one.seconds:.0f} s" for one in runs)
    lines += ["", f"Took {sum(one.seconds for one in runs) / 60:.1f} minutes: {took}."]
    return "\n".join(lines) + "\n"


def _line(row: Row, busy: float) -> str:
    spread = "" if row.low is None or row.high is None else f" ({row.low:.3g} to {row.high:.3g})"
    claims = [f"{sign} {bound:g}" for sign, bound in (("≥", row.at_least), ("≤", row.at_most)) if bound is not None]
    holds = {None: "", True: "yes", False: "no"}[row.holds]
    cells = [
        row.name,
        f"{row.ours:,.4g}",
        f"{row.baseline:,.4g}",
        row.against,
        row.unit,
        f"**{row.ratio:.3g}**{spread}",
        ", ".join(claims),
        holds,
        f"{row.n:,}",
        f"{busy:g}",
        f"`{row.command}`",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="so that all together take minutes")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="of a script, without .py; repeat it"
    )
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    options = parser.parse_args()
    machine, runs = machine_facts(), []
    for script in scripts(options.only):
        print(f"== {script.name}", flush=True)
        runs.append(run(script, quick=options.quick))
        # After each, so that what has been measured is there whatever happens to the next.
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "benchmarks.md").write_text(as_markdown(machine, runs), encoding="utf-8")
        (options.out / "benchmarks.json").write_text(as_json(machine, runs), encoding="utf-8")
    print(f"\nwrote {options.out / 'benchmarks.md'} and {options.out / 'benchmarks.json'}")
    for one in runs:
        if one.failure is not None:
            print(f"{one.script} failed: {one.failure}", file=sys.stderr)
    return int(any(one.failure is not None for one in runs))


if __name__ == "__main__":
    sys.exit(main())
