"""The least that could answer: a bare grpc.aio server that decodes the same sample and runs the same ONNX session.

No store, no person, no decision, no access, no audit, no limits, no log, and errors as they come. What it answers is an
empty message. Threads decode and infer, as many as ours has, so that both can use every processor.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
import numpy as np

from encode.bundle import open_bundle
from encode.encoder import Encoder
from load.child import child
from verify.messages import read_samples
from verify.v1 import verification_pb2 as pb


@contextmanager
def bare_server(bundle: Path, *, threads: int, concurrency: int) -> Iterator[tuple[str, int]]:
    """``host:port`` and process id of a bare server in a process of its own, while the block runs.

    `threads` of one inference, `concurrency` calls at once.
    """
    with child(_serve, bundle, threads, concurrency) as (pipe, process):
        yield f"127.0.0.1:{pipe.recv()}", process


def _serve(bundle: Path, threads: int, concurrency: int, pipe: Connection) -> None:
    encoder = Encoder(open_bundle(bundle), threads=threads)
    pool = ThreadPoolExecutor(concurrency)

    def work(request: pb.VerifyRequest) -> pb.VerifyResponse:
        (sample,) = read_samples(request.samples)
        encoder.embed_prepared(encoder.prepare(sample)[np.newaxis])
        return pb.VerifyResponse()

    async def verify(request: pb.VerifyRequest, _: object) -> pb.VerifyResponse:
        return await asyncio.get_running_loop().run_in_executor(pool, work, request)

    handler = grpc.unary_unary_rpc_method_handler(
        verify,
        request_deserializer=pb.VerifyRequest.FromString,
        response_serializer=pb.VerifyResponse.SerializeToString,
    )

    async def run() -> None:
        server = grpc.aio.server()
        server.add_registered_method_handlers("verify.v1.VerificationService", {"Verify": handler})
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("verify.v1.VerificationService", {"Verify": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        pipe.send(port)
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await server.stop(1.0)

    asyncio.run(run())
