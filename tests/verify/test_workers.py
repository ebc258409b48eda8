"""The worker threads by themselves: what is dropped, what is refused, and what is counted."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from encode.errors import DeadlineExpired, ServiceOverloaded
from verify.deadline import Deadline
from verify.service_workers import Workers


@dataclass
class Context:
    """A call with this many seconds left."""

    seconds: float | None = None

    def time_remaining(self) -> float | None:
        return self.seconds


def test_work_runs_off_the_event_loop_and_gives_its_result() -> None:
    async def scenario() -> tuple[int, int]:
        workers = Workers(1, 0)
        ran_on = await workers.run(Context(), lambda _: threading.get_ident())
        workers.close()
        return ran_on, threading.get_ident()

    ran_on, loop = asyncio.run(scenario())
    assert ran_on != loop


def test_a_call_without_time_left_is_never_begun() -> None:
    begun: list[object] = []

    async def scenario() -> None:
        workers = Workers(1, 0)
        with pytest.raises(DeadlineExpired):
            await workers.run(Context(0.0), begun.append)
        workers.close()

    asyncio.run(scenario())
    assert begun == []


def test_errors_of_the_work_come_back() -> None:
    def work(_: Callable[[], None]) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        workers = Workers(1, 0)
        with pytest.raises(ZeroDivisionError):
            await workers.run(Context(), work)
        workers.close()

    asyncio.run(scenario())


def test_a_cancelled_call_is_counted_until_its_thread_is_free() -> None:
    """Else callers who hang up early could pile up work without bound."""
    gate, begun = threading.Event(), threading.Event()
    seen: list[str] = []

    def work(checkpoint: Callable[[], None]) -> None:
        begun.set()
        assert gate.wait(10)
        try:
            checkpoint()
        except DeadlineExpired:
            seen.append("told")
            raise

    async def scenario() -> None:
        workers = Workers(1, 0)
        call = asyncio.ensure_future(workers.run(Context(), work))
        await asyncio.to_thread(begun.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(ServiceOverloaded):
            await workers.run(Context(), lambda _: None)
        gate.set()
        await asyncio.to_thread(workers.close)
        await asyncio.sleep(0)
        assert workers._taken == 0

    asyncio.run(scenario())
    assert seen == ["told"]


def test_a_deadline_is_an_instant_on_its_clock() -> None:
    now = [100.0]
    deadline = Deadline(2.0, clock=lambda: now[0])
    now[0] = 101.999
    deadline.check()
    now[0] = 102.0
    with pytest.raises(DeadlineExpired):
        deadline.check()


def test_without_a_deadline_only_abandonment_ends_the_work() -> None:
    deadline = Deadline(None)
    deadline.check()
    deadline.abandon()
    with pytest.raises(DeadlineExpired):
        deadline.check()
