"""A service that counts, and what it has counted."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from prometheus_client import CollectorRegistry

from encode.sample import Modality
from enroll.stores.store import TemplateStore
from verify.client.client import Client
from verify.model import Model
from verify.observing.prometheus import PrometheusMetrics
from verify.server_thread import serving

Counted = Callable[..., float]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> PrometheusMetrics:
    return PrometheusMetrics(registry)


@pytest.fixture
def counted(registry: CollectorRegistry) -> Counted:
    """``counted("requests_total", method=...)``: the sum of the series of that name with these labels."""

    def total(name: str, **labels: str) -> float:
        return sum(
            sample.value
            for metric in registry.collect()
            for sample in metric.samples
            if sample.name == f"countersign_{name}" and labels.items() <= sample.labels.items()
        )

    return total


@pytest.fixture
def counting_client(
    both: Mapping[Modality, Model], store: TemplateStore, metrics: PrometheusMetrics
) -> Iterator[Client]:
    """A client of a server that reads faces and signatures, and counts."""
    with serving(both, store, metrics=metrics) as address, Client(address, timeout=20) as connected:
        yield connected
