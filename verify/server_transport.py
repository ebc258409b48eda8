"""gRPC's asyncio server, which one caller with a broken path cannot switch off.

grpcio up to 1.85 decodes the path of a call as UTF-8 in the loop that takes calls, and leaves that loop for good when
it is none: ``:path`` with the one byte FF, before any token is looked at, and nobody is answered any more. Paths of
methods that exist never get there, because they are registered. So everything that asks for another path is told that
there is no such method, whatever its name is, by a task beside that loop.

This leans on names of grpcio that are not its public ones; tests/fuzz/test_paths.py tells when a release moves them.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server as aio_server

from encode.errors import ServiceFailed

_LOOK_SECONDS = 1.0
"""Between looks at whether the transport still runs."""


def create_transport(
    interceptors: Sequence[grpc.aio.ServerInterceptor], options: Sequence[tuple[str, Any]]
) -> grpc.aio.Server:
    """A server like that of ``grpc.aio.server``. Its services must register their methods, as generated code does."""
    # The annotations of grpcio know the public name of the same class.
    return cast(grpc.aio.Server, _Transport(tuple(interceptors), tuple(options)))


async def answering(transport: grpc.aio.Server, stopping: asyncio.Event) -> None:
    """Wait for `stopping`.

    Raises
    ------
    ServiceFailed : the transport has ended before, of itself: a process that answers nobody must not look alive.
    """
    asked = asyncio.ensure_future(stopping.wait())
    while not asked.done():
        if not transport._server.is_running():  # type: ignore[attr-defined]
            asked.cancel()
            raise ServiceFailed("the transport has ended of itself", fix="start the service again, and report it")
        await asyncio.wait([asked], timeout=_LOOK_SECONDS)


class _Listener(cygrpc.AioServer):  # type: ignore[misc]
    """The server underneath: takes calls of methods there are, and turns away all others."""

    def _make_request_call_future(self, method: bytes | None) -> Any:
        """The next call of a registered method; of none, nothing until the server stops."""
        if method is not None:
            return super()._make_request_call_future(method)
        return asyncio.get_running_loop().create_task(self._turn_away())

    async def _turn_away(self) -> None:
        """Answer UNIMPLEMENTED to every call whose method is not registered; the server's stop raises out of it."""
        loop = asyncio.get_running_loop()
        nothing = cygrpc._MethodResolver([], {})
        answering: set[asyncio.Task[None]] = set()
        while True:
            state = await self._request_call()
            answer = cygrpc._handle_rpc("", nothing, (), state, loop, False)
            task = loop.create_task(cygrpc._schedule_rpc_coro(answer, state, loop, ""))
            # The loop itself holds tasks weakly.
            answering.add(task)
            task.add_done_callback(answering.discard)


class _Transport(aio_server.Server):
    def __init__(self, interceptors: tuple[Any, ...], options: tuple[tuple[str, Any], ...]) -> None:
        self._loop = cygrpc.get_working_loop()
        arguments = aio_server._augment_channel_arguments(options, None)
        self._server = _Listener(self._loop, None, (), interceptors, arguments, None)
