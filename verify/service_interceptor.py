"""Around every call of ours: parsing, the error boundary, the log, and the count of calls under way.

This is the one place where an exception becomes a status. What the error tree does not foresee becomes SERVICE_FAILED
with an incident id, under which the log tells where it was raised.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc

from encode.errors import CountersignError, DeadlineExpired, ServiceFailed, StoreError, TryLater
from verify.call_id import set_call_id
from verify.logging import get_logger, where_raised
from verify.service_parsing import of_a_stream, parsing_inside, read_one
from verify.status import STATUS_KEY, code_of, to_status

REQUEST_ID_KEY = "x-request-id"
RETRY_AFTER_KEY = "retry-after"
_OURS = "/verify.v1."

# The stubs describe handlers of the synchronous server; those of grpc.aio are coroutine functions.
_Handler = Any
_Context = grpc.aio.ServicerContext[Any, Any]


class CallBoundary(grpc.aio.ServerInterceptor):
    """Wraps the unary calls of package verify.v1; of health and reflection it only sees that messages parse."""

    def __init__(self) -> None:
        self.under_way = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if not method.startswith(_OURS) or handler.response_streaming:
            return parsing_inside(handler, refuse)

        async def call(_: object, context: _Context) -> Any:
            self.under_way += 1
            try:
                return await _answer(method, handler, context)
            finally:
                self.under_way -= 1

        # The message is read and parsed inside, so that what is no message gets an error of ours as well.
        return of_a_stream(call, handler)


async def _answer(method: str, handler: _Handler, context: _Context) -> Any:
    started = time.perf_counter()
    request_id = _request_id(context)
    set_call_id(request_id)
    trailers = ((REQUEST_ID_KEY, request_id),)
    log = get_logger().bind(request_id=request_id, method=method)

    def elapsed() -> float:
        return round(1e3 * (time.perf_counter() - started), 3)

    try:
        if handler.request_streaming:  # reads for itself, or refuses the call without
            response = await handler.stream_unary(None, context)
        else:
            response = await handler.unary_unary(await read_one(handler, context), context)
    except asyncio.CancelledError:
        remaining = context.time_remaining()
        code = grpc.StatusCode.CANCELLED if remaining is None or remaining > 0 else code_of(DeadlineExpired)
        log.info("call", code=code.name, ms=elapsed())
        raise
    except CountersignError as error:
        failure = error
        if isinstance(error, StoreError):
            log.error("store", reason=error.reason, message=error.message)
    except Exception as error:  # noqa: BLE001 - the boundary: nothing unforeseen may reach the caller as it is
        failure = _unforeseen(error)
        log.error("unforeseen", incident=failure.incident, error=type(error).__name__, frames=where_raised(error))
    else:
        context.set_trailing_metadata(trailers)
        log.info("call", code=grpc.StatusCode.OK.name, ms=elapsed())
        return response
    log.info("call", code=code_of(type(failure)).name, reason=failure.reason, ms=elapsed())
    await refuse(context, failure, trailers)
    raise AssertionError("refuse raises")


async def refuse(context: _Context, failure: CountersignError, trailers: Sequence[tuple[str, str]] = ()) -> None:
    """End a call with the status of `failure`; one to be made again later also says when, in whole seconds."""
    status = to_status(failure)
    told: list[tuple[str, str | bytes]] = [*trailers, (STATUS_KEY, status.SerializeToString())]
    if isinstance(failure, TryLater):
        told.append((RETRY_AFTER_KEY, str(math.ceil(failure.retry_after))))
    await context.abort(code_of(type(failure)), status.message, tuple(told))


def _unforeseen(error: Exception) -> ServiceFailed:
    incident = uuid.uuid4().hex
    failure = ServiceFailed(
        "the service failed in a way it did not foresee",
        fix=f"report incident {incident} to the operator",
        incident=incident,
    )
    failure.__cause__ = error
    return failure


def _request_id(context: _Context) -> str:
    """The caller's x-request-id if it is a UUID, which cannot carry a name into the log; else a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY:
            try:
                return str(uuid.UUID(str(value)))
            except ValueError:
                break
    return str(uuid.uuid4())
