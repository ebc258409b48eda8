"""Progress of long work: a bar with rate and time left on a terminal, one plain line when done elsewhere.

Always on stderr, so that what a command prints on stdout stays clean.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")


class RateColumn(ProgressColumn):
    """How many a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.3g}/s" if speed < 100 else f"{speed:,.0f}/s")


def bars(console: Console) -> Progress:
    """Bars with counts, rate, time taken and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def track(items: Iterable[Item], total: int, label: str, *, quiet: bool = False) -> Iterator[Item]:
    """Yield `items`, showing how far of `total` the work is; with `quiet`, show nothing."""
    if quiet:
        yield from items
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        started = time.monotonic()
        yield from items
        seconds = time.monotonic() - started
        sys.stderr.write(f"{label}: {total:,} in {seconds:.1f} s ({total / max(seconds, 1e-3):,.0f}/s)\n")
        return
    with bars(console) as progress:
        yield from progress.track(items, total=total, description=label)
