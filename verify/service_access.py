"""The interceptor that stands before every handler: who calls, how often, and whether the caller may.

    token → caller → rate → room → (the message is read) → scope in the request's collection → handler

    of a stream, for each message:  token → rate (waited for) → scope in its item's collection → handler

The first four are done before anything of the call's body is read: whoever has no valid token cannot make the service
hold a message, and under overload a call that is turned away costs little. A stream of messages may last for hours:
each is let in by itself, by a token that is still valid, and one that may not be sent is turned away alone. Errors are
raised inside the handler that is returned, so that the call boundary answers and logs them like any other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import grpc

from encode.errors import RateLimited, ScopeMissing, TokenInvalid
from enroll.access.grants import Scope
from verify.access.caller import ANONYMOUS, Caller, calling
from verify.access.limits import RateLimits
from verify.access.peers import OpenStreams, Strangers, address_of
from verify.access.scopes import Access, Rule, require_access, rule_of
from verify.service_parsing import answer_many, read_one
from verify.service_stream import Turned

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
    """Applies :mod:`verify.access.scopes` to every call.

    Parameters
    ----------
    limits : of callers with a token; None sets none.
    strangers : of addresses that call without a valid one, or for health; None sets none.
    room : raises ServiceOverloaded where a call of this caller that needs a worker would find none.
    """

    def __init__(
        self,
        callers: Callers,
        limits: RateLimits | None,
        strangers: Strangers | None,
        room: Callable[[Caller], None] = lambda _: None,
    ) -> None:
        self._callers = callers
        self._limits = limits
        self._strangers = strangers
        self._room = room
        self._streams = OpenStreams()
        # Counted apart, so that no number of batches keeps health from being answered.
        self._batches = OpenStreams()

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
                return _held(handler, self._open_to_all)
            caller = await self._callers.caller(handler_call_details.invocation_metadata or ())
            self._count(caller)
            if isinstance(rule, Scope) and handler.unary_unary is not None:
                self._room(caller)
            return self._admitting(handler, caller, rule, handler_call_details)
        except Exception as error:  # noqa: BLE001 - raised again where the call boundary can tell of it
            return self._refusing(handler, error)

    def _count(self, caller: Caller) -> None:
        if self._limits is not None and caller.token_id is not None:
            self._limits.take(caller.token_id)

    @contextmanager
    def _open_to_all(self, context: _Context) -> Iterator[None]:
        """Count a call that needs no token, and that it is open."""
        peer = context.peer()
        if self._strangers is not None:
            self._strangers.count_health(peer)
        with self._streams.held(address_of(peer)):
            yield

    def _admitting(self, handler: _Handler, caller: Caller, rule: Rule, details: grpc.HandlerCallDetails) -> _Handler:
        if handler.unary_unary is None:
            name = caller.token_id or caller.name
            if isinstance(rule, Access):
                return _held(handler, lambda _: self._streams.held(name), each=lambda: self._count(caller))
            if handler.stream_stream is None:
                raise NotImplementedError("a stream of answers to one request has no check yet")

            async def stream(messages: AsyncIterator[Any], context: _Context) -> None:
                with self._batches.held(name), calling(caller):
                    let_in = self._let_in(messages, rule, details.invocation_metadata or ())
                    await answer_many(handler.stream_stream(let_in, context), context)

            return _of_its_kind(handler, stream)

        async def call(request: Any, context: _Context) -> Any:
            require_access(caller, rule, request)
            with calling(caller):
                return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )

    async def _let_in(
        self, messages: AsyncIterator[Any], rule: Rule, metadata: Sequence[tuple[str, str | bytes]]
    ) -> AsyncIterator[Any]:
        """The messages of a stream, each checked by its item; one without the scope is turned away."""
        async for message in messages:
            caller = await self._callers.caller(metadata)
            await self._wait_turn(caller)
            if isinstance(message, Turned):
                yield message
                continue
            try:
                require_access(caller, rule, message.item)
            except ScopeMissing as error:
                yield Turned(message.index, error)
            else:
                yield message

    async def _wait_turn(self, caller: Caller) -> None:
        """Count one message of a stream once there is room for it: its sender is slowed down, not refused."""
        while True:
            try:
                return self._count(caller)
            except RateLimited as error:
                await asyncio.sleep(error.retry_after)

    def _refusing(self, handler: _Handler, error: Exception) -> _Handler:
        """A handler that raises `error` and reads nothing of what it is sent, which is why it is one of a stream."""

        async def call(_: object, context: _Context) -> None:
            if self._strangers is not None and isinstance(error, TokenInvalid):
                self._strangers.count_refusal(context.peer())
            raise error

        return _of_its_kind(handler, call)


def _held(
    handler: _Handler,
    admit: Callable[[_Context], AbstractContextManager[None]],
    each: Callable[[], None] = lambda: None,
) -> _Handler:
    """`handler`, inside of ``admit(context)`` from before anything is read until the call ends.

    `each` is called before every message of a stream is handed on.
    """

    async def counted(messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for message in messages:
            each()
            yield message

    async def call(messages: AsyncIterator[Any], context: _Context) -> Any:
        with admit(context):
            if handler.request_streaming:
                return await answer_many(handler.stream_stream(counted(messages), context), context)
            request = await read_one(handler, context)
            if handler.response_streaming:
                return await answer_many(handler.unary_stream(request, context), context)
            return await handler.unary_unary(request, context)

    return _of_its_kind(handler, call)


def _of_its_kind(handler: _Handler, behaviour: Callable[..., Any]) -> _Handler:
    """A handler that takes a stream, which a single message is too, and answers as `handler` does."""
    make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    return make(
        behaviour, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
    )
