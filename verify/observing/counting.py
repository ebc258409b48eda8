"""The metrics of one process: counted if a port is given, told there, or left for the process that started it."""

from collections.abc import Iterator
from contextlib import contextmanager

from verify.logging import get_logger
from verify.metrics import Metrics
from verify.settings import ServiceSettings, shared_metrics_folder


@contextmanager
def counting(settings: ServiceSettings) -> Iterator[Metrics]:
    """What to count with while the block runs.

    Raises
    ------
    AddressInUse : ``metrics_port`` is taken.
    """
    if settings.metrics_port is None:
        yield Metrics()
        return
    # Here, because services without metrics are spared the time and the memory of both.
    from prometheus_client import CollectorRegistry, disable_created_metrics

    from verify.observing.endpoint import MetricsEndpoint
    from verify.observing.prometheus import PrometheusMetrics

    disable_created_metrics()
    registry = CollectorRegistry()
    metrics = PrometheusMetrics(registry)
    if shared_metrics_folder() is not None:
        yield metrics
        return
    with MetricsEndpoint(settings.metrics_host, settings.metrics_port, registry) as endpoint:
        get_logger().info("metrics", host=settings.metrics_host, port=endpoint.port)
        yield metrics
