"""Metrics of several worker processes behind one port: each counts into files of a private folder, the parent adds up.

    parent   with shared_counts(settings) as shared:     listens on metrics_port, answers with sums
    child    environment | shared.environment            counts into the folder, listens nowhere

Counters and histograms of a process that has died stay in the sums, as they must never fall; its gauges leave them once
the parent has been told (:meth:`SharedCounts.forget`). The files are memory-mapped by the client library's own mode for
this, so that an addition is one to memory and no process waits for another.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from encode.errors import ConfigError
from verify.logging import get_logger
from verify.settings import SHARED_METRICS, ServiceSettings

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - its private folder is made with a name of its own and mode 0700


class SharedCounts:
    """What the parent hands to its children, and tells of them.

    Attributes
    ----------
    environment : to be added to each child's environment.
    port : where the sums are told; None if nobody asked for metrics.
    """

    def __init__(self, folder: Path | None = None, port: int | None = None) -> None:
        self._folder = folder
        self.port = port
        self.environment: Mapping[str, str] = {} if folder is None else {SHARED_METRICS: str(folder)}

    def forget(self, pid: int) -> None:
        """The child with this process id has ended: what it had waiting, or in its memory, is no more."""
        if self._folder is not None:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(pid, str(self._folder))


@contextmanager
def shared_counts(settings: ServiceSettings) -> Iterator[SharedCounts]:
    """In the parent, around the life of its children. Without ``metrics_port`` it does nothing.

    Raises
    ------
    AddressInUse : ``metrics_port`` is taken.
    ConfigError : there is nowhere to put the files.
    """
    if settings.metrics_port is None:
        yield SharedCounts()
        return
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    from verify.observing.endpoint import MetricsEndpoint

    folder = _private_folder()
    try:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(folder))
        with MetricsEndpoint(settings.metrics_host, settings.metrics_port, registry) as endpoint:
            get_logger().info("metrics", host=settings.metrics_host, port=endpoint.port)
            yield SharedCounts(folder, endpoint.port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _private_folder() -> Path:
    for parent in (_IN_MEMORY, None):
        try:
            return Path(tempfile.mkdtemp(prefix="countersign-metrics-", dir=parent))
        except OSError:
            continue
    raise ConfigError(
        "worker processes have nowhere to put their metrics",
        field="metrics_port",
        fix="mount a writable /dev/shm or /tmp, or run one worker",
    )
