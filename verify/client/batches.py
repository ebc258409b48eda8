"""Many items over one stream, with a bounded number of them out at once, and whatever was not answered sent again.

    items → message → [ out: sent, not answered ] → result
                         ↑ the stream broke, or "later": sent again

An answer that says "later" (SERVICE_OVERLOADED, RATE_LIMITED) or that the store cannot be reached slows the batch down
and is not a result; one that says so eight times is. A stream that breaks as UNAVAILABLE is opened again, after growing
waits and at most five times without an answer in between. Enrolments carry request_ids, so that one whose answer was
lost is not made twice. Items are taken from their iterable only as there is room, on a thread of their own.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from encode.errors import (
    CountersignError,
    DeadlineExpired,
    RateLimited,
    ServiceOverloaded,
    ServiceUnavailable,
    StoreUnavailable,
    TryLater,
)
from verify.client.batch_items import BatchMethod, ItemResult
from verify.client.retries import ATTEMPTS, FIRST_BACKOFF_SECONDS
from verify.client.send_window import SendWindow
from verify.status import from_failure, from_rpc_error

LATER = (ServiceOverloaded, RateLimited, StoreUnavailable)
"""Answers to one item upon which it is sent again; a lock-out is not: it concerns the person, and may last an hour."""

ITEM_ATTEMPTS = 8
_OWN_ERROR = "Internal error from Core"

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Entry(Generic[_Item]):
    index: int
    item: _Item
    message: Message
    size: int
    attempts: int = 0
    sent_at: float = 0.0


class Batch(Generic[_Item, _Answer]):
    """One run over `items`. Used from one event loop.

    Parameters
    ----------
    open_stream : begins a call of the method, as grpc.aio gives it.
    timeout : seconds that an item may be out without any answer coming in.
    """

    def __init__(
        self,
        method: BatchMethod[_Item, _Answer],
        open_stream: Callable[[], Any],
        items: Iterable[_Item],
        *,
        timeout: float,
        window: SendWindow | None = None,
    ) -> None:
        self._method = method
        self._open_stream = open_stream
        self._items: Iterator[tuple[int, _Item]] | None = iter(enumerate(items))
        self._taking: asyncio.Future[tuple[int, _Item] | None] | None = None
        self._timeout = timeout
        self._window = window or SendWindow()
        self._out: dict[int, _Entry[_Item]] = {}
        self._again: deque[_Entry[_Item]] = deque()
        self._unsendable: deque[ItemResult[_Item, _Answer]] = deque()
        self._changed = asyncio.Event()
        self._breaks = 0

    async def results(self) -> AsyncIterator[ItemResult[_Item, _Answer]]:
        """One result an item, in the order in which the answers come.

        Raises
        ------
        ServiceUnavailable, DeadlineExpired, AccessError : the stream cannot be opened, or not again.
        """
        while True:
            call = self._open_stream()
            sending = asyncio.ensure_future(self._send(call))
            try:
                async for result in self._read(call, sending):
                    yield result
                return
            except grpc.aio.AioRpcError as error:
                await self._recover(_reason(error))
            finally:
                sending.cancel()
                call.cancel()

    async def _send(self, call: Any) -> None:
        """Write what there is room for until everything is answered, then close this side of the stream."""
        while (entry := await self._next()) is not None:
            if call.done():
                self._again.appendleft(entry)
                return
            entry.attempts += 1
            entry.sent_at = time.monotonic()
            self._out[entry.index] = entry
            try:
                await call.write(entry.message)
            except (grpc.RpcError, asyncio.InvalidStateError):
                return  # the stream has broken: whoever reads learns why
        await call.done_writing()

    async def _next(self) -> _Entry[_Item] | None:
        """What to send now, once it may be; None when everything is answered."""
        while True:
            self._changed.clear()
            if delay := self._window.wait(time.monotonic()):
                await asyncio.sleep(delay)
            elif self._window.room(len(self._out), sum(entry.size for entry in self._out.values())):
                if self._again:
                    return self._again.popleft()
                if (taken := await self._take()) is not None:
                    return taken
                if not (self._out or self._again):
                    return None
                await self._changed.wait()
            else:
                await self._changed.wait()

    async def _take(self) -> _Entry[_Item] | None:
        """The next item that can be sent; None where there is none left."""
        while self._items is not None:
            # A stream that breaks meanwhile ends this task, not the thread: what it takes is for the next stream.
            if self._taking is None:
                self._taking = asyncio.ensure_future(asyncio.to_thread(next, self._items, None))
            taken = await asyncio.shield(self._taking)
            self._taking = None
            if taken is None:
                self._items = None
                break
            index, item = taken
            try:
                message = self._method.message(index, item)
            except CountersignError as error:
                self._unsendable.append(ItemResult(index, item, error=error))
                continue
            return _Entry(index, item, message, message.ByteSize())
        return None

    async def _read(self, call: Any, sending: "asyncio.Future[None]") -> AsyncIterator[ItemResult[_Item, _Answer]]:
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                waited: set[asyncio.Future[Any]] = {reading} if sending.done() else {reading, sending}
                await asyncio.wait(waited, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()  # raises what the items raised
                while self._unsendable:
                    yield self._unsendable.popleft()
                if not reading.done():
                    self._require_in_time()
                    continue
                response = reading.result()
                if response is grpc.aio.EOF:
                    await _require_whole(call)
                    return
                self._breaks = 0
                if (result := self._result(response)) is not None:
                    yield result
                self._changed.set()
                reading = asyncio.ensure_future(call.read())
        finally:
            reading.cancel()

    def _result(self, response: Any) -> ItemResult[_Item, _Answer] | None:
        """What an answer says of its item; None where the item is to be sent again, or was answered before."""
        entry = self._out.pop(response.index, None)
        if entry is None:
            return None
        if response.WhichOneof("result") != "failure":
            self._window.answered()
            return ItemResult(entry.index, entry.item, answer=self._method.read(response))
        error = from_failure(response.failure)
        if isinstance(error, LATER):
            self._window.refused(response.failure.retry_after, time.monotonic())
            if entry.attempts < ITEM_ATTEMPTS:
                self._again.append(entry)
                return None
        return ItemResult(entry.index, entry.item, error=error)

    def _require_in_time(self) -> None:
        oldest = min((entry.sent_at for entry in self._out.values()), default=None)
        if oldest is not None and time.monotonic() - oldest >= self._timeout:
            raise DeadlineExpired("the service did not answer in time", fix="allow more time")

    async def _recover(self, error: CountersignError) -> None:
        """Get ready for another stream, or raise `error`."""
        self._breaks += 1
        if not isinstance(error, (ServiceUnavailable, *LATER)) or self._breaks >= ATTEMPTS:
            raise error
        self._again.extendleft(reversed(self._out.values()))
        self._out.clear()
        backoff = FIRST_BACKOFF_SECONDS * 2.0 ** (self._breaks - 1)
        await asyncio.sleep(max(backoff, error.retry_after) if isinstance(error, TryLater) else backoff)


def _reason(error: grpc.aio.AioRpcError) -> CountersignError:
    """Why a stream ended. A message written to one that has just ended hides it: gRPC then has an error of its own."""
    if error.code() is grpc.StatusCode.INTERNAL and (error.details() or "").startswith(_OWN_ERROR):
        return ServiceUnavailable("the service ended the stream", fix="try again, or look into its log")
    return from_rpc_error(error)


async def _require_whole(call: Any) -> None:
    """Raise the call's error, if it ended with one: reading tells only that there is no more."""
    if await call.code() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            await call.code(), await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        )
