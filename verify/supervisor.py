"""Several processes that answer at one port, and the one that looks after them.

    parent   reserves the port, starts the workers, hands on SIGTERM, starts anew whoever dies; answers nobody itself
    worker   a whole service of its own on the same store; the kernel deals connections out (SO_REUSEPORT)

The first worker is waited for before the others begin: what a store needs at its first start is done once. A worker
that ends before it has answered ends the service with its own exit code; one that ends later is replaced, unless that
happens again and again. Workers whose parent has gone drain and end.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from encode.cpu import usable_cpus
from encode.errors import ConfigError, ServiceFailed
from verify.bind_errors import cannot_listen
from verify.logging import get_logger
from verify.observing.workers import SharedCounts, shared_counts
from verify.settings import MEMORY, ServiceSettings, environment_with

SHORT_LIFE_SECONDS = 10.0
MOST_SHORT_LIVES = 5
"""In a row, before the service gives up: whatever kills its workers does not pass."""


def worker_count(settings: ServiceSettings) -> int:
    """How many processes the settings ask for."""
    return settings.workers or usable_cpus()


async def supervise(settings: ServiceSettings) -> int:
    """Run the workers until SIGTERM or SIGINT; 0, or the exit code of one that could not start or stop as it should.

    Raises
    ------
    AddressInUse, ConfigError : the port cannot be had, or the settings do not go with several processes.
    ServiceFailed : workers end again and again.
    """
    if settings.database == MEMORY:
        raise ConfigError(
            "several workers need a store they share, and memory is a process's own",
            field="workers",
            fix="name a database, or run one worker",
        )
    with reserved_port(settings) as port, shared_counts(settings) as counts:
        return await _Workers(settings.model_copy(update={"port": port}), counts).run()


class _Workers:
    """The workers of one service, from the first one's start to the last one's end."""

    def __init__(self, settings: ServiceSettings, counts: SharedCounts) -> None:
        self._settings = settings
        self._counts = counts
        self._order = json.dumps(_told(settings)).encode()
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._short_lives = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        first, ready = await self._start()
        if not await ready:
            return await self._end_of(first)
        count = worker_count(self._settings)
        get_logger().info("workers", number=count, port=self._settings.port)
        lives = [asyncio.ensure_future(self._keep_alive(process)) for process in (first, *[None] * (count - 1))]
        await asyncio.wait(lives, return_when=asyncio.FIRST_EXCEPTION)
        self._stop()
        codes = await asyncio.gather(*lives, return_exceptions=True)
        raised = next((one for one in codes if isinstance(one, BaseException)), None)
        if raised is not None:
            raise raised
        return next((one for one in codes if isinstance(one, int) and one), 0)

    async def _keep_alive(self, process: asyncio.subprocess.Process | None) -> int:
        """`process`, then one worker after the other, until they are to stop; the last one's exit code."""
        while True:
            began = time.monotonic()
            if process is None:
                if self._stopping.is_set():
                    return 0
                process, ready = await self._start()
                if not await ready:
                    began = time.monotonic()  # however long it tried, it never lived
            code = await self._end_of(process)
            if self._stopping.is_set():
                return code
            get_logger().error("worker_ended", code=code)
            self._short_lives = self._short_lives + 1 if time.monotonic() - began < SHORT_LIFE_SECONDS else 0
            if self._short_lives >= MOST_SHORT_LIVES:
                raise ServiceFailed("the service's workers end again and again", fix="read its log for the reason")
            process = None

    async def _start(self) -> tuple[asyncio.subprocess.Process, "asyncio.Future[bool]"]:
        """A worker, and whether it came to answer, once that is known."""
        read, write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "countersign.worker",
                str(write),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(write,),
                # Ctrl-C of a terminal reaches the parent alone, which hands it on once.
                start_new_session=True,
                env=environment_with(self._counts.environment),
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self._running.add(process)
        if process.stdin is not None:
            process.stdin.write(self._order)
            process.stdin.close()
        if self._stopping.is_set():
            process.terminate()
        return process, asyncio.ensure_future(asyncio.to_thread(_answers, read))

    async def _end_of(self, process: asyncio.subprocess.Process) -> int:
        code = await process.wait()
        if self._stopping.is_set() and code == -signal.SIGTERM:
            code = 0  # told to stop before it could know what that means
        self._running.discard(process)
        self._counts.forget(process.pid)
        return code

    def _stop(self) -> None:
        """Have every worker drain; at the second time, at once."""
        self._stopping.set()
        for process in self._running:
            if process.returncode is None:
                process.terminate()


def _answers(read: int) -> bool:
    """Whether a worker says that it answers, before its end of the pipe is closed."""
    with os.fdopen(read, "rb") as pipe:
        return bool(pipe.read(1))


def _told(settings: ServiceSettings) -> dict[str, Any]:
    told = settings.model_dump(mode="json")
    # Through the worker's standard input, which nobody else reads.
    told["key"] = None if settings.key is None else settings.key.get_secret_value()
    return {**told, "workers": 1}


@contextmanager
def reserved_port(settings: ServiceSettings) -> Iterator[int]:
    """The port of the settings, or any free one for 0, kept for this user's sockets that share it.

    Raises AddressInUse.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        if settings.port:
            # Shared ports may be bound again and again: only an unshared one tells whether somebody else is there.
            with socket.socket(family, socket.SOCK_STREAM) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind((settings.host, settings.port))
        kept = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise cannot_listen(f"on {settings.address}", "port") from error
    with kept:
        try:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind((settings.host, settings.port))
        except OSError as error:
            raise cannot_listen(f"on {settings.address}", "port") from error
        yield int(kept.getsockname()[1])
