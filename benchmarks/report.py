"""The rows that benchmarks report: what was measured, ours beside a baseline of the same run, and their ratio.

    ratio = ours / baseline

A script takes its options from :func:`parser`, which adds ``--quick`` and ``--rows FILE``, and hands each comparison to
:class:`Rows`. Run alone it prints what it always printed; under `benchmarks/run_all.py` the rows also go to FILE, one
JSON object a line, of which that script makes one table.

    options = report.parser(__doc__).parse_args()
    rows = report.Rows(options)
    rows.add("Verify, one client", ours=8.2, baseline=7.9, against="bare grpc.aio", unit="ms", n=2_000, at_most=1.25)
"""

import argparse
import json
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verify.policy import Rate


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes
    ----------
    name : what is compared, without numbers that may change.
    ours, baseline : in `unit`, measured in the same run; what both are (median, least, p99) belongs into `unit`.
    against : what the baseline is.
    n : how often each side was measured (calls, repeats, rounds).
    low, high : of the ratio, quartiles or an interval over the rounds; None if there is one round.
    at_least, at_most : what the ratio is claimed to be; None where nothing is claimed.
    command : how to measure this row alone.
    """

    name: str
    ours: float
    baseline: float
    against: str
    unit: str
    n: int
    low: float | None
    high: float | None
    at_least: float | None
    at_most: float | None
    command: str

    def __post_init__(self) -> None:
        numbers = (self.ours, self.baseline)
        if not all(math.isfinite(number) for number in numbers) or self.baseline == 0 or self.n < 1:
            raise ValueError(f"{self.name}: {numbers} of {self.n} is no comparison")

    @property
    def ratio(self) -> float:
        return self.ours / self.baseline

    @property
    def holds(self) -> bool | None:
        """Whether the ratio is what is claimed; None without a claim."""
        if self.at_least is None and self.at_most is None:
            return None
        above = self.at_least is None or self.ratio >= self.at_least
        return above and (self.at_most is None or self.ratio <= self.at_most)


def parser(description: str | None, *, quick: str = "fewer repeats") -> argparse.ArgumentParser:
    """A parser of a benchmark's options, to which the script adds its own; `quick` says what ``--quick`` changes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--rows", type=Path, metavar="FILE", help="append the rows to this file, one JSON object a line")
    return made


class Rows:
    """Takes the rows of a script run with `options`; each is written at once, so that a failure later loses none."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._file: Path | None = options.rows
        self._command = _command(sys.argv)

    def add(
        self,
        name: str,
        *,
        ours: float,
        baseline: float,
        against: str,
        unit: str,
        n: int,
        low: float | None = None,
        high: float | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Row:
        """One comparison; see :class:`Row`. Raises ValueError if a number is missing, infinite, or a baseline 0."""
        made = Row(
            name, float(ours), float(baseline), against, unit, n, low, high, at_least, at_most, command=self._command
        )
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(made)) + "\n")
        return made


def read_rows(file: Path) -> list[Row]:
    """The rows a script has written; none if it wrote no file."""
    if not file.exists():
        return []
    return [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _command(arguments: list[str]) -> str:
    """How the script was called, without where its rows go."""
    given, words = iter(arguments[1:]), []
    for word in given:
        if word == "--rows":
            next(given, None)
        elif not word.startswith("--rows="):
            words.append(word)
    return shlex.join(["python", f"benchmarks/{Path(arguments[0]).name}", *words])


def shown(rate: "Rate") -> str:
    """A rate in per cent with its interval: 2.31 (1.9-2.8)."""
    return f"{100 * rate.value:.2f} ({100 * rate.low:.1f}-{100 * rate.high:.1f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile, as of the ratios of several rounds."""
    first, second, third = np.quantile(values, [0.25, 0.5, 0.75])
    return float(first), float(second), float(third)
