"""The life of a serving process: load, listen, answer until SIGTERM, drain.

SIGTERM  →  health says NOT_SERVING  →  drain delay  →  no new calls  →  calls under way finish, or the grace ends
"""

import asyncio
import gc
import signal
from collections.abc import Callable
from contextlib import ExitStack

from verify.logging import get_logger
from verify.model import load_models
from verify.observing.counting import counting
from verify.server import create_server, open_store
from verify.server_checks import tell_whether_adaptable, tell_whether_fused
from verify.server_tracing import call_tracing
from verify.settings import ServiceSettings

_SAME_SIGNAL_SECONDS = 2.0
"""A worker that is told to stop together with its parent is told once more by the parent, which is no impatience."""


async def serve(settings: ServiceSettings, *, shared: bool = False, ready: Callable[[], None] = lambda: None) -> None:
    """Load, listen and answer until SIGTERM or SIGINT, then drain; a second signal ends the grace at once.

    `shared` says that others answer at the same port; `ready` is called once this one does.

    Raises
    ------
    BundleError, PolicyMismatch, ConfigError, AddressInUse, StoreError : the service cannot start.
    ServiceFailed : it has stopped answering; whoever started it must start it again, rather than believe that it lives.
    """
    log = get_logger()
    stopping, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    asked = 0.0

    def stop() -> None:
        nonlocal asked
        if not stopping.is_set():
            asked = loop.time()
            stopping.set()
        elif not shared or loop.time() - asked > _SAME_SIGNAL_SECONDS:
            hurry.set()

    # First of all: as process 1 of a container an unhandled SIGTERM would be ignored, not fatal.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    with ExitStack() as stack:
        metrics = stack.enter_context(counting(settings))
        around = stack.enter_context(call_tracing(settings))
        store = await asyncio.to_thread(open_store, settings.store, audited=settings.audit != "off")
        stack.callback(store.close)
        models = await asyncio.to_thread(
            load_models, settings.models, settings.policies, retiring=settings.retiring, threads=settings.threads
        )
        server, port = create_server(models, store, settings, metrics, around, shared=shared)
        metrics.serving(models, models.retiring)
        await asyncio.to_thread(tell_whether_fused, models)
        await asyncio.to_thread(tell_whether_adaptable, models, store)
        await server.start()
        if not settings.loopback and settings.tls is None:
            log.warning("plaintext", host=settings.host, advice="tokens and samples are not encrypted by this service")
        log.info(
            "serving",
            host=settings.host,
            port=port,
            models=[model.name for model in models.values()],
            retiring=[f"{model.name} {model.model_digest[:12]}" for model in models.retiring],
            tls=settings.tls is not None,
            access="tokens" if server.closed else "open",
        )
        # What is here now stays: the collector need not look at it over and over while calls come and go.
        gc.collect()
        gc.freeze()
        ready()
        await server.answer_until(stopping)
        log.info("draining", grace_seconds=settings.grace_seconds)
        drain = asyncio.ensure_future(server.stop(settings.grace_seconds, delay=settings.drain_delay_seconds))
        impatience = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([drain, impatience], return_when=asyncio.FIRST_COMPLETED)
        impatience.cancel()
        if not drain.done():
            drain.cancel()
            await server.stop(0.0)
        log.info("stopped")
