"""What a process and all that it started cost, as Linux tells it, and on which processor a thread's children begin."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICK_MS = 1e3 / os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 2
"""Fields of ``/proc/PID/stat`` before those behind the name, which may hold anything."""


def processor_ms(root: int) -> float:
    """Milliseconds of processor time, user and system, of a process and all below it since each began."""
    return sum(_TICK_MS * (int(fields[13 - _AFTER_NAME]) + int(fields[14 - _AFTER_NAME])) for fields in _tree(root))


def rss_mib(root: int) -> float:
    """Resident mebibytes of a process and all below it; pages that they share count for each."""
    pages = sum(int(fields[23 - _AFTER_NAME]) for fields in _tree(root))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def begun_on(processors: set[int]) -> Iterator[None]:
    """Processes that this thread starts inside the block run on these processors alone, and this thread as well."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tree(root: int) -> list[list[str]]:
    """The fields behind the name of a process and all below it; of those that end meanwhile, none."""
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
    tree, below = {root}, {root}
    while below := {pid for pid, fields in found.items() if int(fields[1]) in below and pid not in tree}:
        tree |= below
    return [found[pid] for pid in tree if pid in found]
