"""Messages that do not parse, or do not come, refused alike by every method: also by those of health and reflection.

gRPC parses before it calls, and answers UNKNOWN to what does not parse; and a call that ends without a message it
leaves unanswered for as long as the caller waits. So handlers of one request are given to it as handlers of a stream,
of which they read one message themselves, as bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from encode.errors import CountersignError, DeadlineExpired, FieldInvalid, FieldMissing

# The stubs describe handlers of the synchronous server; those of grpc.aio are coroutine functions.
_Handler = Any
_Context = grpc.aio.ServicerContext[Any, Any]
Refuse = Callable[[_Context, CountersignError], Any]

MESSAGE_SECONDS = 60.0
"""From the beginning of a call until its one message is there: what trickles in must not hold memory for ever."""


async def read_one(handler: _Handler, context: _Context) -> Any:
    """The request of a call whose handler takes one. Raises FieldMissing, FieldInvalid, DeadlineExpired."""
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            data = await context.read()
    except TimeoutError:
        raise DeadlineExpired(
            f"the message did not arrive within {MESSAGE_SECONDS:g} seconds", fix="send it faster, or a smaller one"
        ) from None
    if data is grpc.aio.EOF:
        raise FieldMissing("the call carries no message", field="request", fix="send one message")
    return parse(handler, data)


def parsing_inside(handler: _Handler, refuse: Refuse) -> _Handler:
    """`handler`, whatever its kind, ending calls with `refuse` whose messages do not parse."""
    if handler.request_streaming:
        return _reading_many(handler, refuse)

    async def call(_: object, context: _Context) -> Any:
        try:
            request = await read_one(handler, context)
        except CountersignError as error:
            await refuse(context, error)
        if handler.response_streaming:
            return await answer_many(handler.unary_stream(request, context), context)
        return await handler.unary_unary(request, context)

    return of_a_stream(call, handler)


def parse(handler: _Handler, data: bytes) -> Any:
    """The request in `data`. Raises FieldInvalid."""
    if handler.request_deserializer is None:
        return data
    try:
        return handler.request_deserializer(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise FieldInvalid(
            "the request is not a message of this method", field="request", fix="use stubs made from verify/v1/*.proto"
        ) from error


def _reading_many(handler: _Handler, refuse: Refuse) -> _Handler:
    async def stream(messages: AsyncIterator[bytes], context: _Context) -> Any:
        async def parsed() -> AsyncIterator[Any]:
            async for data in messages:
                yield parse(handler, data)

        try:
            if handler.response_streaming:
                return await answer_many(handler.stream_stream(parsed(), context), context)
            return await handler.stream_unary(parsed(), context)
        except CountersignError as error:
            await refuse(context, error)

    return of_a_stream(stream, handler)


def of_a_stream(behaviour: Callable[..., Any], handler: _Handler) -> _Handler:
    """A handler of a stream of bytes, which answers as `handler` does."""
    make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    return make(behaviour, request_deserializer=None, response_serializer=handler.response_serializer)


async def answer_many(answers: Any, context: _Context) -> None:
    """A handler of many answers either yields them or writes them itself."""
    if not hasattr(answers, "__aiter__"):
        await answers
        return
    async for answer in answers:
        await context.write(answer)
