"""The interceptor that stands before every handler: who calls, how often, and whether the caller may.

    token → caller → rate → (the message is read) → scope in the request's collection → handler

The first three are done before the body of the call is read. Errors are raised inside the handler that is returned, so
that the call boundary answers and logs them like any other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import grpc

from encode.errors import CountersignError
from verify.access.caller import ANONYMOUS, Caller, calling
from verify.access.limits import RateLimits
from verify.access.scopes import Access, Rule, require_access, rule_of
from verify.service_interceptor import refuse

_Handler = Any
_Context = grpc.aio.ServicerContext[Any, Any]


class Callers(Protocol):
    """Tells callers by the metadata of their calls; :class:`verify.access.tokens.TokenCheck` is one."""

    async def caller(self, metadata: Sequence[tuple[str, str | bytes]]) -> Caller:
        """Raises TokenInvalid, StoreError."""


class AnyCaller:
    """Lets everybody in, without a name."""

    async def caller(self, metadata: Sequence[tuple[str, str | bytes]]) -> Caller:
        return ANONYMOUS


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Applies :mod:`verify.access.scopes` to every call; callers with a token are limited by `limits`, if given."""

    def __init__(self, callers: Callers, limits: RateLimits | None) -> None:
        self._callers = callers
        self._limits = limits

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        try:
            rule = rule_of(handler_call_details.method)
            if rule is Access.OPEN:
                return handler
            caller = await self._callers.caller(handler_call_details.invocation_metadata or ())
            if self._limits is not None and caller.token_id is not None:
                self._limits.take(caller.token_id)
            return _admitting(handler, caller, rule)
        except Exception as error:  # noqa: BLE001 - raised again where the call boundary can tell of it
            return _refusing(handler, error)


def _admitting(handler: _Handler, caller: Caller, rule: Rule) -> _Handler:
    if handler.unary_unary is None:
        if isinstance(rule, Access):
            return handler
        raise NotImplementedError("a stream of requests, each with a collection of its own, has no check yet")

    async def call(request: Any, context: _Context) -> Any:
        require_access(caller, rule, request)
        with calling(caller):
            return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(
        call, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
    )


def _refusing(handler: _Handler, error: Exception) -> _Handler:
    """A handler that raises `error` and reads nothing of what it is sent."""
    if handler.unary_unary is not None:

        async def call(_: bytes, __: _Context) -> Any:
            raise error

        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=bytes, response_serializer=handler.response_serializer
        )

    async def stream(_: object, context: _Context) -> None:
        if not isinstance(error, CountersignError):
            raise error
        await refuse(context, error)

    # Of the handler's own kind: the server calls by that.
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(stream)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.stream_unary_rpc_method_handler(stream)
