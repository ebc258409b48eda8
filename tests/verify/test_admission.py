"""Which calls get a thread, in what order, and which are told at once that they would not."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from encode.errors import ServiceOverloaded
from verify.access.caller import Caller, calling
from verify.metrics import Metrics
from verify.service_workers import Later, Workers


@dataclass
class Context:
    """A call with this many seconds left."""

    seconds: float | None = None

    def time_remaining(self) -> float | None:
        return self.seconds


class Told(Metrics):
    """Remembers why calls were dropped, and how many wait."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.waiting = 0

    def dropped(self, reason: str) -> None:
        self.reasons.append(reason)

    def queue(self, *, waiting: int, working: int) -> None:
        self.waiting = waiting


@dataclass
class Busy:
    """Workers whose one thread is held by a call until `gate` opens."""

    workers: Workers
    told: Told
    gate: threading.Event = field(default_factory=threading.Event)
    done: list[str] = field(default_factory=list)
    calls: list["asyncio.Future[Any]"] = field(default_factory=list)

    async def ask(self, caller: Caller, what: str, seconds: float | None = None) -> "asyncio.Future[Any]":
        """A call that notes when it is done, already admitted or refused."""
        with calling(caller):
            call = asyncio.ensure_future(self.workers.run(Context(seconds), lambda _: self.done.append(what)))
        self.calls.append(call)
        await asyncio.sleep(0)
        return call

    async def finish(self) -> list[Any]:
        self.gate.set()
        return await asyncio.gather(*self.calls, return_exceptions=True)


@contextlib.asynccontextmanager
async def busy(waiting: int = 64, **changes: Any) -> AsyncIterator[Busy]:
    told = Told()
    held = Busy(Workers(1, waiting, told, **changes), told)
    begun = threading.Event()

    def hold(_: Callable[[], None]) -> None:
        begun.set()
        assert held.gate.wait(10)

    first = asyncio.ensure_future(held.workers.run(Context(), hold))
    await asyncio.to_thread(begun.wait, 10)
    try:
        yield held
    finally:
        held.gate.set()
        await first
        await asyncio.to_thread(held.workers.close)


MUCH, LITTLE = Caller("kiosk", token_id="1" * 16), Caller("kiosk", token_id="2" * 16)


def test_callers_with_tokens_of_their_own_take_turns_whatever_they_are_called() -> None:
    async def scenario() -> list[str]:
        async with busy() as held:
            for number in range(3):
                await held.ask(MUCH, f"much {number}")
            for number in range(2):
                await held.ask(LITTLE, f"little {number}")
            await held.finish()
            return held.done

    assert asyncio.run(scenario()) == ["much 0", "little 0", "much 1", "little 1", "much 2"]


def test_a_full_queue_makes_room_for_who_has_less_in_it() -> None:
    async def scenario() -> None:
        async with busy(3) as held:
            mine = [await held.ask(MUCH, f"much {number}") for number in range(4)]
            with pytest.raises(ServiceOverloaded) as caught:
                await mine[3]
            assert caught.value.retry_after > 0
            theirs = await held.ask(LITTLE, "little")
            await asyncio.sleep(0.01)
            with pytest.raises(ServiceOverloaded):
                await mine[2]
            assert not theirs.done()
            assert held.told.waiting == 3
            await held.finish()
            assert held.done == ["much 0", "little", "much 1"]
            assert held.told.reasons == ["queue_full", "queue_full"]

    asyncio.run(scenario())


async def measured(held: Busy) -> None:
    """Let the workers find out that a call takes some hundredths of a second."""
    works = [lambda _: time.sleep(0.05) for _ in range(4)]
    calls = [asyncio.ensure_future(held.workers.run(Context(), work)) for work in works]
    await asyncio.sleep(0)
    held.gate.set()
    await asyncio.gather(*calls)
    held.gate.clear()
    begun = threading.Event()

    def hold(_: Callable[[], None]) -> None:
        begun.set()
        assert held.gate.wait(10)

    held.calls.append(asyncio.ensure_future(held.workers.run(Context(), hold)))
    await asyncio.to_thread(begun.wait, 10)


def test_who_would_wait_longer_than_patience_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        async with busy(patience=0.08) as held:
            await measured(held)
            asked = [await held.ask(MUCH, str(number)) for number in range(8)]
            refused = [call for call in asked if call.done()]
            assert 0 < len(refused) < 8
            assert refused == asked[-len(refused) :], "those who came last"
            for call in refused:
                error = call.exception()
                assert isinstance(error, ServiceOverloaded)
                assert error.retry_after >= 0.05
            assert held.told.reasons == ["would_wait"] * len(refused)
            await held.finish()
            assert len(held.done) == 8 - len(refused)
            await held.ask(MUCH, "again")
            await asyncio.gather(held.calls[-1])
            assert held.done[-1] == "again"

    asyncio.run(scenario())


def test_who_would_wait_beyond_the_deadline_is_not_let_wait_for_it() -> None:
    async def scenario() -> None:
        async with busy() as held:
            await measured(held)
            for number in range(6):
                await held.ask(MUCH, str(number))
            hasty = await held.ask(MUCH, "hasty", 0.06)
            assert isinstance(hasty.exception(), ServiceOverloaded)
            patient = await held.ask(MUCH, "patient", 60.0)
            assert not patient.done()
            # What others have sent stands before a caller's first call but once.
            other = await held.ask(LITTLE, "other", 60.0)
            assert not other.done()
            assert held.told.reasons == ["would_wait"]
            await held.finish()
            assert "hasty" not in held.done
            assert "patient" in held.done

    asyncio.run(scenario())


def test_a_call_that_is_given_up_leaves_the_queue_to_others() -> None:
    async def scenario() -> None:
        async with busy(1) as held:
            gone = await held.ask(MUCH, "gone")
            assert held.told.waiting == 1
            gone.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert held.told.waiting == 0
            await held.ask(MUCH, "next")
            await held.finish()
            assert held.done == ["next"]
            assert held.told.reasons == []

    asyncio.run(scenario())


@pytest.mark.parametrize("fails", [False, True])
def test_a_later_result_frees_its_thread_and_waits_for_what_it_depends_on(fails: bool) -> None:
    async def scenario() -> None:
        workers, until = Workers(1, 0), Future[None]()
        call = asyncio.ensure_future(workers.run(Context(), lambda _: Later("answer", until)))
        await asyncio.sleep(0)
        while await free(workers) is None:
            pass
        assert not call.done()
        if fails:
            until.set_exception(OSError("the disk is full"))
            with pytest.raises(OSError, match="disk"):
                await call
        else:
            until.set_result(None)
            assert await call == "answer"
        await asyncio.to_thread(workers.close)

    asyncio.run(scenario())


async def free(workers: Workers) -> str | None:
    """What a second call, for which there is no room in the queue, is answered if the only thread is free."""
    try:
        return await workers.run(Context(), lambda _: "free")
    except ServiceOverloaded:
        await asyncio.sleep(0.01)
        return None


def test_alone_is_who_keeps_nobody_waiting() -> None:
    async def scenario() -> None:
        async with busy() as held:
            assert held.workers.alone
            await held.ask(MUCH, "another")
            assert not held.workers.alone
            await held.finish()

    asyncio.run(scenario())


def test_room_is_asked_for_as_a_call_would_be_admitted() -> None:
    async def scenario() -> list[str]:
        async with busy(2) as held:
            held.workers.require_room(MUCH)
            for number in range(2):
                held.workers.require_room(MUCH)
                await held.ask(MUCH, f"much {number}")
            with pytest.raises(ServiceOverloaded, match="too many") as caught:
                held.workers.require_room(MUCH)
            assert caught.value.retry_after > 0
            # Who has two fewer would be let in, so is not told to come later.
            held.workers.require_room(LITTLE)
            return held.told.reasons

    assert asyncio.run(scenario()) == ["queue_full"]
