"""What a process that serves does before it serves, and whether it does so alone."""

import asyncio
import ctypes
import os
import signal
import sys

from verify.core_dumps import forbid_core_dumps
from verify.log_writer import GATHER_SECONDS
from verify.logging import configure_logging
from verify.malloc_arenas import few_arenas
from verify.settings import ServiceSettings

_PR_SET_PDEATHSIG = 1


def run_service(settings: ServiceSettings) -> int:
    """Serve until told to stop: in this process, or in as many as the settings say. The exit code.

    Raises as :func:`verify.serving.serve` and :func:`verify.supervisor.supervise`.
    """
    from verify.supervisor import supervise, worker_count

    if worker_count(settings) == 1:
        _prepare(settings)
        from verify.serving import serve

        asyncio.run(serve(settings))
        return 0
    configure_logging(level=settings.log_level, form=settings.log_format)
    return asyncio.run(supervise(settings))


def run_worker(settings: ServiceSettings, ready: int) -> None:
    """One of several that share a port: writes a byte to the file descriptor `ready` once it answers."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return
    _prepare(settings)
    from verify.serving import serve

    def tell() -> None:
        os.write(ready, b"1")
        os.close(ready)

    asyncio.run(serve(settings, shared=True, ready=tell))


def _prepare(settings: ServiceSettings) -> None:
    configure_logging(level=settings.log_level, form=settings.log_format, gather=GATHER_SECONDS)
    forbid_core_dumps()
    few_arenas()
