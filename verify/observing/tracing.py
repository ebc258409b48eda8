"""Where OpenTelemetry spans go: to a collector by OTLP over HTTP, if a setting or a standard variable names one.

The exporter reads the other standard variables itself: headers, timeout, sampler, service name. Spans are sent from a
thread of its own; what cannot be sent is dropped, and the log says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from encode.errors import ConfigError
from verify.logging import get_logger
from verify.settings import ServiceSettings, standard_traces

if TYPE_CHECKING:  # of the extra `otel`
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_HOW = "pip install 'countersign[otel]'"


@contextmanager
def tracing(settings: ServiceSettings) -> "Iterator[Tracer | None]":
    """The tracer to make spans with while the block runs; None if no collector is named.

    Raises
    ------
    ConfigError : ``traces_endpoint`` is given and the extra is not installed. Where only a standard variable is given,
        which may be meant for others on the machine, the log says so instead.
    """
    if settings.traces_endpoint is None and not standard_traces():
        yield None
        return
    try:
        provider = _provider(settings.traces_endpoint)
    except ModuleNotFoundError as error:
        if settings.traces_endpoint is not None:
            raise ConfigError("traces need OpenTelemetry", field="traces_endpoint", fix=_HOW) from error
        get_logger().warning("no_traces", advice=f"OTEL_* names a collector, but there is no OpenTelemetry: {_HOW}")
        yield None
        return
    try:
        yield provider.get_tracer("countersign", version("countersign"))
    finally:
        provider.shutdown()


def _provider(endpoint: str | None) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource({"service.name": "countersign", "service.version": version("countersign")})
    # The standard variables win: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
