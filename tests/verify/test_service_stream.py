"""Streams answered message by message: the window, the order, and what ends what."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import pytest

from encode.errors import FieldInvalid, PersonUnknown
from verify.service_stream import WINDOW, Turned, Window, answer_each, counting, until
from verify.v1 import verification_pb2 as pb


@dataclass
class Context:
    """Takes what is written."""

    written: list[pb.VerifyBatchResponse] = field(default_factory=list)

    async def write(self, response: pb.VerifyBatchResponse) -> None:
        await asyncio.sleep(0)
        self.written.append(response)


async def stream(messages: Iterable[pb.VerifyBatchRequest | Turned]) -> AsyncIterator[pb.VerifyBatchRequest | Turned]:
    for message in messages:
        yield message


def numbered(count: int) -> list[pb.VerifyBatchRequest | Turned]:
    return [pb.VerifyBatchRequest(index=n) for n in range(count)]


async def decided(message: pb.VerifyBatchRequest) -> pb.VerifyBatchResponse:
    return pb.VerifyBatchResponse(index=message.index, decided=pb.VerifyResponse(accepted=True))


def test_every_message_is_answered_once_and_counted() -> None:
    async def answer(message: pb.VerifyBatchRequest) -> pb.VerifyBatchResponse:
        await asyncio.sleep(0.001 * (message.index % 3))
        if message.index == 4:
            raise PersonUnknown("nobody")
        if message.index == 5:
            raise LookupError("unforeseen")
        return await decided(message)

    async def run() -> tuple[Context, dict[str, object]]:
        context, tally = Context(), counting()
        messages = [*numbered(7), Turned(70, FieldInvalid("no message"))]
        await answer_each(stream(messages), context, answer, pb.VerifyBatchResponse)
        return context, tally.told()

    context, told = asyncio.run(run())
    failures = {one.index: one.failure.reason for one in context.written if one.HasField("failure")}
    assert failures == {4: "PERSON_UNKNOWN", 5: "SERVICE_FAILED", 70: "FIELD_INVALID"}
    assert sorted(one.index for one in context.written) == [0, 1, 2, 3, 4, 5, 6, 70]
    assert told == {"items": 8, "failed": {"PERSON_UNKNOWN": 1, "SERVICE_FAILED": 1, "FIELD_INVALID": 1}}


def test_no_more_is_read_than_there_is_room_for() -> None:
    read = 0

    async def run() -> None:
        gate = asyncio.Event()

        async def messages() -> AsyncIterator[pb.VerifyBatchRequest]:
            nonlocal read
            for n in range(500):
                read += 1
                yield pb.VerifyBatchRequest(index=n)

        async def answer(message: pb.VerifyBatchRequest) -> pb.VerifyBatchResponse:
            await gate.wait()
            return await decided(message)

        counting()
        context = Context()
        answering = asyncio.ensure_future(answer_each(messages(), context, answer, pb.VerifyBatchResponse))
        for _ in range(300):
            await asyncio.sleep(0)
        assert read == WINDOW + 1
        gate.set()
        await answering
        assert len(context.written) == 500

    asyncio.run(run())


def test_a_window_bounds_bytes_but_lets_one_message_of_any_size_in() -> None:
    async def run() -> None:
        window = Window(messages=3, size=100)
        whole = await asyncio.wait_for(window.enter(1_000), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(window.enter(1), 0.01)
        await window.leave(whole)
        for size in (60, 40):
            await asyncio.wait_for(window.enter(size), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(window.enter(1), 0.01)

    asyncio.run(run())


def test_an_end_abandons_what_is_at_work() -> None:
    abandoned = []

    async def answer(message: pb.VerifyBatchRequest) -> pb.VerifyBatchResponse:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            abandoned.append(message.index)
            raise
        return await decided(message)

    async def run() -> None:
        counting()
        answering = asyncio.ensure_future(answer_each(stream(numbered(5)), Context(), answer, pb.VerifyBatchResponse))
        await asyncio.sleep(0.05)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering

    asyncio.run(run())
    assert sorted(abandoned) == list(range(5))


def test_reading_ends_when_the_service_is_about_to_stop() -> None:
    async def run() -> list[int]:
        stopping = asyncio.Event()

        async def messages() -> AsyncIterator[int]:
            yield 1
            yield 2
            await asyncio.sleep(60)
            yield 3

        found = []
        async for message in until(stopping, messages()):
            found.append(message)
            if message == 2:
                asyncio.get_running_loop().call_later(0.02, stopping.set)
        return found

    assert asyncio.run(run()) == [1, 2]
    assert asyncio.run(asyncio.wait_for(_all(), 5)) == [1, 2, 3]


async def _all() -> list[int]:
    async def messages() -> AsyncIterator[int]:
        for number in (1, 2, 3):
            yield number

    return [one async for one in until(asyncio.Event(), messages())]


def test_a_stream_ends_with_no_write_open() -> None:
    """gRPC refuses to end a call while one of its writes is open, and the caller then waits for ever."""
    open_writes, started = 0, asyncio.Event()

    class Slow(Context):
        async def write(self, response: pb.VerifyBatchResponse) -> None:
            nonlocal open_writes
            open_writes += 1
            started.set()
            done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.02, done.set_result, None)
            await asyncio.shield(done)  # gRPC's operation goes on, whoever waits for it
            open_writes -= 1

    async def revoked() -> AsyncIterator[pb.VerifyBatchRequest]:
        yield pb.VerifyBatchRequest(index=0)
        await started.wait()
        raise PersonUnknown("no longer")

    async def run() -> None:
        counting()
        with pytest.raises(PersonUnknown):
            await answer_each(revoked(), Slow(), decided, pb.VerifyBatchResponse)
        assert open_writes == 0

    asyncio.run(run())
