"""OpenTelemetry spans: one a call of ours, below the caller's span if the metadata carry a W3C ``traceparent``.

A span tells method, status code and request id, as the log does, and like it nobody's name. For the same reason
``tracestate``, in which a caller may write anything, is not taken over, and exceptions are not recorded. Needs the
extra ``otel``; imported only where traces are wanted (:mod:`verify.observing.tracing`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from verify.call_id import current_call_id
from verify.service_parsing import of_a_stream

_OURS = "/verify.v1."
_TRACEPARENT = "traceparent"
_OUR_FAULT = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The codes that make a server's span an error, by OpenTelemetry's conventions for gRPC."""

# The stubs describe handlers of the synchronous server; those of grpc.aio are coroutine functions.
_Handler = Any
_Context = grpc.aio.ServicerContext[Any, Any]


class CallTracing(grpc.aio.ServerInterceptor):
    """Goes around the call boundary, whose handlers are those of streams of bytes."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_OURS):
            return handler
        behaviour = handler.stream_stream if handler.response_streaming else handler.stream_unary
        name = method.removeprefix("/")

        async def call(messages: object, context: _Context) -> Any:
            with self._tracer.start_as_current_span(
                name,
                context=self._caller_of(context),
                kind=SpanKind.SERVER,
                attributes={"rpc.system.name": "grpc", "rpc.method": name},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    answer = await behaviour(messages, context)
                except asyncio.CancelledError:
                    remaining = context.time_remaining()
                    gone = remaining is None or remaining > 0
                    _tell(span, grpc.StatusCode.CANCELLED if gone else grpc.StatusCode.DEADLINE_EXCEEDED)
                    raise
                except BaseException:  # what ends a call whose status has been set
                    _tell(span, _code_of(context, grpc.StatusCode.UNKNOWN))
                    raise
                _tell(span, _code_of(context, grpc.StatusCode.OK))
                return answer

        return of_a_stream(call, handler)

    def _caller_of(self, context: _Context) -> Context:
        """The span that the caller is in, if it says so in a form that can be read."""
        for key, value in context.invocation_metadata() or ():
            if key == _TRACEPARENT:
                return self._propagator.extract({_TRACEPARENT: str(value)}, context=Context())
        return Context()


def _code_of(context: _Context, otherwise: grpc.StatusCode) -> grpc.StatusCode:
    """What the call was ended with, if something has ended it."""
    # The stubs know of no None, which it is until then.
    ended = cast("grpc.StatusCode | None", context.code())
    return otherwise if ended is None else ended


def _tell(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.response.status_code", code.name)
    if (request_id := current_call_id()) is not None:
        span.set_attribute("countersign.request_id", request_id)
    if code in _OUR_FAULT:
        span.set_status(StatusCode.ERROR)
