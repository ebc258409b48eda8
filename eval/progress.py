"""Progress of long work: a bar with rate and time left on a terminal, one plain line when done elsewhere.

Always on stderr, so that what a command prints on stdout stays clean.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


def bars(console: Console) -> Progress:
    """Bars with counts, time taken and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
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
        sys.stderr.write(f"{label}: {total:,} in {time.monotonic() - started:.1f} s\n")
        return
    with bars(console) as progress:
        yield from progress.track(items, total=total, description=label)
