"""Streams of messages that are answered each on its own: some at work at once, none ending another.

    read  →  room in the window?  →  answer  →  write  →  room again
             no: nothing is read, so that the sender waits

The window bounds what one stream may have at work: messages, and bytes of them. Its sender is slowed down by what
reading waits for, never refused: a slot that is only free once the answer has gone out also waits for a receiver that
does not read. The call's deadline holds for all of its messages, and its end abandons whatever is still at work.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from encode.errors import CountersignError
from verify.messages import MAX_MESSAGE_BYTES
from verify.service_failures import failure_of
from verify.service_parsing import parse
from verify.status import to_failure

WINDOW = 32
"""Messages of one stream at work at once: enough to fill an encoder's batch while others are decoded and stored."""

WINDOW_BYTES = MAX_MESSAGE_BYTES
"""And bytes of them; one message may always have as many."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A message that its handler never sees, and why: it does not parse, or its sender may not send it.

    `index` is the message's own, or where that cannot be read its number in the stream, from 0.
    """

    index: int
    error: CountersignError


def _unobserved(_: str | None) -> None:
    """Nobody counts."""


@dataclass(slots=True)
class Tally:
    """What became of the messages of one stream: how many were answered as asked, and the others by reason.

    `observe` is told of each as it is answered, with None or the reason.
    """

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    observe: Callable[[str | None], None] = _unobserved

    def add(self, reason: str | None = None) -> None:
        """One more was answered as asked, or failed for a reason."""
        if reason is None:
            self.answered += 1
        else:
            self.failed[reason] += 1
        self.observe(reason)

    def told(self) -> dict[str, Any]:
        """For the log; nothing where there is nothing to count."""
        if not (self.answered or self.failed):
            return {}
        return {"items": self.answered + self.failed.total(), "failed": dict(self.failed)}


_tally: ContextVar[Tally] = ContextVar("countersign_stream_tally")


def counting(observe: Callable[[str | None], None] = _unobserved) -> Tally:
    """The count that the call of this task begins."""
    tally = Tally(observe=observe)
    _tally.set(tally)
    return tally


class _Numbered(Protocol):
    """A message of a stream."""

    @property
    def index(self) -> int: ...

    def ByteSize(self) -> int: ...  # noqa: N802 - the name that protobuf gives it


_Message = TypeVar("_Message", bound=_Numbered)
_Any = TypeVar("_Any")


class Window:
    """Room for `messages` at once, of `size` bytes together. Used from one event loop."""

    def __init__(self, messages: int = WINDOW, size: int = WINDOW_BYTES) -> None:
        self._messages = messages
        self._size = size
        self._held: dict[int, int] = {}
        self._changed = asyncio.Condition()
        self._entered = 0

    async def enter(self, size: int) -> int:
        """Wait for room for a message of `size` bytes, which there always is in an empty window; a ticket for it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(size))
            self._entered += 1
            self._held[self._entered] = size
            return self._entered

    async def leave(self, ticket: int) -> None:
        """Give back the room that the ticket stands for."""
        async with self._changed:
            del self._held[ticket]
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self._held:
            return True
        return len(self._held) < self._messages and sum(self._held.values()) + size <= self._size


async def each_parsed(handler: Any, messages: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """The messages of a stream; one that does not parse is turned away, and the others are read all the same."""
    number = 0
    async for data in messages:
        try:
            yield parse(handler, data)
        except CountersignError as error:
            yield Turned(number, error)
        number += 1


async def until(stopping: asyncio.Event, messages: AsyncIterator[_Any]) -> AsyncIterator[_Any]:
    """`messages` to their end, or until `stopping` is set, even while the next one is waited for."""
    stop = asyncio.ensure_future(stopping.wait())
    try:
        while not stopping.is_set():
            reading = asyncio.ensure_future(anext(messages))
            reading.add_done_callback(_look_at)
            try:
                await asyncio.wait({reading, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not reading.done():
                    reading.cancel()
            if reading.cancelled() or not reading.done():
                return
            try:
                yield reading.result()
            except StopAsyncIteration:
                return
    finally:
        stop.cancel()


def _look_at(reading: "asyncio.Future[Any]") -> None:
    """How a reading ended that nobody waits for any more is nobody's concern."""
    if not reading.cancelled():
        reading.exception()


async def answer_each(
    messages: AsyncIterator[_Message | Turned],
    context: Any,
    answer: Callable[[_Message], Awaitable[Any]],
    response: Callable[..., Any],
) -> None:
    """Write ``await answer(message)``, or ``response(index, failure)`` where it raises, for every message of a stream.

    Answers are written as they come, in any order. Returns once every message is answered.
    """
    window = Window()
    writing = asyncio.Lock()
    tally = _tally.get()

    async def outcome(message: _Message | Turned) -> Any:
        if isinstance(message, Turned):
            failure = message.error
        else:
            try:
                answered = await answer(message)
            except Exception as error:  # noqa: BLE001 - what nobody foresaw ends one message, not the stream
                failure = failure_of(error)
            else:
                tally.add()
                return answered
        tally.add(failure.reason)
        return response(index=message.index, failure=to_failure(failure))

    async def work(message: _Message | Turned, ticket: int) -> None:
        written = await outcome(message)
        async with writing:
            await _to_its_end(context.write(written))
        await window.leave(ticket)

    async with _together() as tasks:
        async for message in messages:
            ticket = await window.enter(0 if isinstance(message, Turned) else message.ByteSize())
            tasks.create_task(work(message, ticket))


async def _to_its_end(write: Awaitable[None]) -> None:
    """Write, and where that is cancelled, be cancelled once it is done: gRPC cannot end a call beside an open write."""
    writing = asyncio.ensure_future(write)
    writing.add_done_callback(_look_at)
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        raise


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks, of which the first error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
