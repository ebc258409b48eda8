"""Progress of work in stages: bars on a terminal, a line now and then elsewhere; always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def stage_progress() -> Iterator[Progress]:
    """Yield a callable (stage, done, total) that shows how far each stage is."""
    from rich.console import Console

    from eval.progress import bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    with bars(console) as shown:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=total)
            shown.update(tasks[stage], completed=done, total=total)

        yield show


class _Lines:
    """One line a stage every half minute, and one when it is done."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            sys.stderr.write(f"{stage}: {done:,} of {total:,}\n")
