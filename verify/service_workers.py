"""Worker threads for the calls: decoding, inference and storage stay off the event loop.

A call waits in a queue of bounded length. One whose deadline has passed, or whose caller has gone, is dropped when its
turn comes, before anything is decoded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Protocol, TypeVar

from encode.errors import ServiceOverloaded
from verify.deadline import Deadline

_Result = TypeVar("_Result")


class _TimeRemaining(Protocol):
    """The one thing asked of a call's context."""

    def time_remaining(self) -> float | None: ...


class Workers:
    """`threads` calls at work at once and `max_waiting` more in the queue. Used from one event loop."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="countersign-call")
        self._limit = threads + max_waiting
        self._taken = 0

    async def run(self, context: _TimeRemaining, work: Callable[[Callable[[], None]], _Result]) -> _Result:
        """The result of ``work(checkpoint)`` on a worker thread; `checkpoint` raises once the call is not waited for.

        Raises
        ------
        ServiceOverloaded : the queue is full.
        DeadlineExpired : the call's deadline has passed.
        """
        if self._taken >= self._limit:
            raise ServiceOverloaded("too many calls are waiting", fix="try again a little later")
        deadline = Deadline(context.time_remaining())

        def job() -> _Result:
            deadline.check()
            return work(deadline.check)

        # With the call's own context, in which its caller is named.
        future = self._pool.submit(copy_context().run, job)
        self._taken += 1
        loop = asyncio.get_running_loop()
        # Counted until the thread is free, not until the caller has gone: a cancelled call may still be computing.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            deadline.abandon()
            raise

    @property
    def alone(self) -> bool:
        """Whether the call that asks is the only one: its thread keeps nobody waiting. From any thread."""
        return self._taken <= 1

    def close(self) -> None:
        """Drop what waits, finish what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _release(self) -> None:
        self._taken -= 1
