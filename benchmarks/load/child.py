"""Processes of a benchmark's own: begun with a pipe, asked over it, ended with None over it."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

END_SECONDS = 30


@contextmanager
def child(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Connection, int]]:
    """``target(*arguments, pipe)`` in a fresh process while the block runs: this end of its pipe, and its id."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=target, args=(*arguments, its), daemon=True)
    process.start()
    its.close()  # so that a process that dies ends the wait for it
    try:
        yield mine, process.pid or 0
    finally:
        with suppress(OSError):
            mine.send(None)
        process.join(END_SECONDS)
        if process.is_alive():
            process.kill()


class Service:
    """A service in a process of its own, as whoever loads it sees it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.address: str = pipe.recv()

    def processor_ms(self) -> float:
        self._pipe.send("time")
        return 1e3 * float(self._pipe.recv())


@contextmanager
def service(target: Callable[..., None], *arguments: Any) -> Iterator[Service]:
    """A service that `target` runs, and tells of with :func:`tell`, while the block runs."""
    with child(target, *arguments) as (pipe, _):
        yield Service(pipe)


def tell(pipe: Connection, address: str) -> None:
    """In the service's process: where it answers, and then its processor time whenever asked, until the end."""
    pipe.send(address)
    while pipe.recv() == "time":
        pipe.send(time.process_time())
