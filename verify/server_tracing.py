"""The interceptor that makes spans, if a collector is named, and nothing to load if none is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc

from verify.observing.tracing import tracing
from verify.settings import ServiceSettings


@contextmanager
def call_tracing(settings: ServiceSettings) -> Iterator[Sequence[grpc.aio.ServerInterceptor]]:
    """What goes around the server's own interceptors while the block runs. Raises ConfigError."""
    with tracing(settings) as tracer:
        if tracer is None:
            yield ()
            return
        from verify.service_tracing import CallTracing

        yield (CallTracing(tracer),)
