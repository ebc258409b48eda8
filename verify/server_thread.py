"""A server on a thread of its own, for callers that are not asynchronous: demonstrations, benchmarks and tests."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import grpc

from encode.sample import Modality
from enroll.stores.store import TemplateStore
from verify.metrics import Metrics
from verify.model import Model
from verify.server import create_server
from verify.settings import ServiceSettings


@contextmanager
def serving(
    models: Mapping[Modality, Model],
    store: TemplateStore,
    settings: ServiceSettings | None = None,
    metrics: Metrics | None = None,
    around: Sequence[grpc.aio.ServerInterceptor] = (),
) -> Iterator[str]:
    """Serve while the block runs; yields ``host:port``. By default on any free port of 127.0.0.1.

    `metrics` and `around` as in :func:`verify.server.create_server`.

    Raises
    ------
    AddressInUse : see :func:`verify.server.create_server`.
    """
    chosen = settings if settings is not None else ServiceSettings(port=0)
    bound: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def run() -> None:
        stopping = asyncio.Event()
        try:
            server, port = create_server(models, store, chosen, metrics, around)
            await server.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is waiting for it
            bound.set_exception(error)
            return
        bound.set_result((asyncio.get_running_loop(), stopping, port))
        await stopping.wait()
        await server.stop(chosen.grace_seconds)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="countersign-server")
    thread.start()
    try:
        loop, stopping, port = bound.result()
        try:
            yield chosen.model_copy(update={"port": port}).address
        finally:
            loop.call_soon_threadsafe(stopping.set)
    finally:
        thread.join()
