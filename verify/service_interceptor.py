"""Around every call of ours: parsing, the error boundary, the log, and the count of calls under way.

This is the one place where an exception becomes a status. What the error tree does not foresee becomes SERVICE_FAILED
with an incident id, under which the log tells where it was raised.
"""

import asyncio
import math
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import grpc

from encode.errors import CountersignError, DeadlineExpired, ServiceUnavailable, TryLater
from verify.call_id import set_call_id
from verify.logging import log_call
from verify.metrics import Metrics
from verify.service_failures import failure_of
from verify.service_parsing import answer_many, of_a_stream, parsing_inside, read_one
from verify.service_stream import counting, each_parsed, until
from verify.status import STATUS_KEY, code_of, to_status

REQUEST_ID_KEY = "x-request-id"
RETRY_AFTER_KEY = "retry-after"
_OURS = "/verify.v1."

# The stubs describe handlers of the synchronous server; those of grpc.aio are coroutine functions.
_Handler = Any
_Context = grpc.aio.ServicerContext[Any, Any]


class CallBoundary(grpc.aio.ServerInterceptor):
    """Wraps the calls of package verify.v1; of health and reflection it only sees that messages parse."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.under_way = 0
        self._metrics = metrics or Metrics()
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Read no more of streams: what they sent is answered, and then they end as UNAVAILABLE."""
        self._draining.set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if not method.startswith(_OURS):
            return parsing_inside(handler, refuse)

        async def call(messages: AsyncIterator[bytes], context: _Context) -> Any:
            self.under_way += 1
            try:
                return await _answer(method, lambda: self._respond(handler, messages, context), context, self._metrics)
            finally:
                self.under_way -= 1

        # The message is read and parsed inside, so that what is no message gets an error of ours as well.
        return of_a_stream(call, handler)

    async def _respond(self, handler: _Handler, messages: AsyncIterator[bytes], context: _Context) -> Any:
        if handler.response_streaming:
            read = until(self._draining, each_parsed(handler, messages))
            await answer_many(handler.stream_stream(read, context), context)
            if self._draining.is_set():
                raise ServiceUnavailable(
                    "the service is about to stop", fix="open the stream again, and send what was not answered"
                )
            return None
        if handler.request_streaming:  # reads for itself, or refuses the call without
            return await handler.stream_unary(None, context)
        return await handler.unary_unary(await read_one(handler, context), context)


async def _answer(method: str, respond: Callable[[], Awaitable[Any]], context: _Context, metrics: Metrics) -> Any:
    started = time.perf_counter()
    request_id = _request_id(context)
    set_call_id(request_id)
    trailers = ((REQUEST_ID_KEY, request_id),)

    def ended(code: grpc.StatusCode, **more: str) -> None:
        seconds = time.perf_counter() - started
        metrics.call(method[1:], code.name, seconds)
        told = {**more, "ms": round(1e3 * seconds, 3), **tally.told()}
        log_call(request_id=request_id, method=method, code=code.name, **told)

    tally = counting(partial(metrics.item, method[1:]))
    try:
        response = await respond()
    except asyncio.CancelledError:
        remaining = context.time_remaining()
        code = grpc.StatusCode.CANCELLED if remaining is None or remaining > 0 else code_of(DeadlineExpired)
        ended(code)
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: nothing unforeseen may reach the caller as it is
        failure = failure_of(error)
    else:
        context.set_trailing_metadata(trailers)
        ended(grpc.StatusCode.OK)
        return response
    ended(code_of(type(failure)), reason=failure.reason)
    await refuse(context, failure, trailers)
    raise AssertionError("refuse raises")


async def refuse(context: _Context, failure: CountersignError, trailers: Sequence[tuple[str, str]] = ()) -> None:
    """End a call with the status of `failure`; one to be made again later also says when, in whole seconds."""
    status = to_status(failure)
    told: list[tuple[str, str | bytes]] = [*trailers, (STATUS_KEY, status.SerializeToString())]
    if isinstance(failure, TryLater):
        told.append((RETRY_AFTER_KEY, str(math.ceil(failure.retry_after))))
    await context.abort(code_of(type(failure)), status.message, tuple(told))


def _request_id(context: _Context) -> str:
    """The caller's x-request-id if it is a UUID, which cannot carry a name into the log; else a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY:
            try:
                return str(uuid.UUID(str(value)))
            except ValueError:
                break
    # Not from the system's generator: it lets go of the interpreter's lock, and no secret hangs on this one.
    drawn = f"{random.getrandbits(128):032x}"
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-8{drawn[17:20]}-{drawn[20:]}"
