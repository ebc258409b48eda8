"""A bare grpc.aio server that hands each message to a pool and answers with what comes back, until its input ends."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor

import grpc


async def answer(pool: Executor, work: Callable[..., bytes], *before: object) -> None:
    """Answer every call with ``work(*before, message)`` on the pool; the port is the first line of standard output."""
    loop = asyncio.get_running_loop()

    async def call(data: bytes, _: object) -> bytes:
        return await loop.run_in_executor(pool, work, *before, data)

    handler = grpc.unary_unary_rpc_method_handler(call)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("rival.Service", {"Verify": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await server.stop(1.0)
