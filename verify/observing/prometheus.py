"""The service's metrics in Prometheus' terms; docs/observability.md tells what each is good for.

Labels take few values, all of them known: methods of the wire contract, status codes, modalities, reasons of the error
tree, model digests. Every series is looked up once and kept, so that a hook costs a dictionary access and an addition.

The client library decides at its first import whether counts live in this process or in files that several processes
share (:mod:`verify.observing.workers`), which is why it is imported as late as here.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from encode.sample import Modality
from verify.decision import Decision, Status
from verify.metrics import Metrics
from verify.model import Model

SECONDS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0),
)
ROWS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)
NATS: Final = (-100, -50, -30, -20, -15, -10, -7, -5, -3, -2, -1, 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
NOTHING: Final = "none"
"""The modality of a decision for which nothing could be used."""


class PrometheusMetrics(Metrics):
    """Counts into `registry`. One a process: counters of the same name cannot be registered twice."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("countersign_requests", "Calls answered.", ["method", "code"], registry=registry)
        self._latency = Histogram(
            "countersign_request_duration_seconds",
            "From a call's arrival to its answer.",
            ["method"],
            buckets=SECONDS,
            registry=registry,
        )
        self._items = Counter(
            "countersign_stream_items",
            "Messages of streams, by what became of them.",
            ["method", "result"],
            registry=registry,
        )
        self._waiting = Gauge(
            "countersign_queue_waiting", "Calls waiting for a thread.", registry=registry, multiprocess_mode="livesum"
        )
        self._working = Gauge(
            "countersign_queue_working", "Calls at work on a thread.", registry=registry, multiprocess_mode="livesum"
        )
        self._waited = Histogram(
            "countersign_queue_wait_seconds", "Until a call had a thread.", buckets=SECONDS, registry=registry
        )
        self._dropped = Counter(
            "countersign_calls_dropped", "Calls turned away without work.", ["reason"], registry=registry
        )
        self._batches = Histogram(
            "countersign_batch_size",
            "Samples that went through the network at once.",
            ["modality"],
            buckets=ROWS,
            registry=registry,
        )
        self._decisions = Counter(
            "countersign_decisions", "Claims decided, by what was used.", ["modality", "outcome"], registry=registry
        )
        self._scores = Histogram(
            "countersign_score",
            "Log-likelihood ratio of decisions, in nats.",
            ["modality"],
            buckets=NATS,
            registry=registry,
        )
        self._samples = Counter(
            "countersign_samples",
            "Samples of claims, by what became of them.",
            ["modality", "result"],
            registry=registry,
        )
        self._models = Gauge(
            "countersign_model_info",
            "1 for each bundle that answers.",
            ["modality", "name", "digest", "role"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._people = Gauge(
            "countersign_gallery_people",
            "People that Identify searches.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._ready = Gauge(
            "countersign_gallery_ready", "1 while Identify answers.", registry=registry, multiprocess_mode="livemin"
        )
        self._searches = Histogram(
            "countersign_search_duration_seconds",
            "Identify on its thread, from samples to the answer.",
            ["result"],
            buckets=SECONDS,
            registry=registry,
        )
        Gauge(
            "countersign_build_info",
            "1, with the release.",
            ["version"],
            registry=registry,
            multiprocess_mode="livemax",
        ).labels(version("countersign")).set(1)
        self._by_method: dict[str, Histogram] = {}
        self._by_code: dict[tuple[str, str], Counter] = {}
        self._by_rows: dict[Modality, Histogram] = {}
        self._by_outcome: dict[tuple[str, bool], Counter] = {}
        self._by_used: dict[str, Histogram] = {}
        self._by_result: dict[tuple[Modality, str], Counter] = {}

    def serving(self, models: Mapping[Modality, Model], retiring: Iterable[Model]) -> None:
        for role, those in (("active", models.values()), ("retiring", retiring)):
            for model in those:
                self._models.labels(model.modality.value, model.name, model.model_digest, role).set(1)
        # Series that are there from the start, so that the first decision is an increase.
        for modality in models:
            for accepted in (True, False):
                self._outcome(modality.value, accepted)

    def call(self, method: str, code: str, seconds: float) -> None:
        counted = self._by_code.get((method, code))
        if counted is None:
            counted = self._by_code[method, code] = self._requests.labels(method, code)
        counted.inc()
        timed = self._by_method.get(method)
        if timed is None:
            timed = self._by_method[method] = self._latency.labels(method)
        timed.observe(seconds)

    def item(self, method: str, reason: str | None) -> None:
        self._items.labels(method, "ok" if reason is None else reason).inc()

    def queue(self, *, waiting: int, working: int) -> None:
        self._waiting.set(waiting)
        self._working.set(working)

    def waited(self, seconds: float) -> None:
        self._waited.observe(seconds)

    def dropped(self, reason: str) -> None:
        self._dropped.labels(reason).inc()

    def batch(self, modality: Modality, rows: int) -> None:
        sized = self._by_rows.get(modality)
        if sized is None:
            sized = self._by_rows[modality] = self._batches.labels(modality.value)
        sized.observe(rows)

    def decided(self, decision: Decision) -> None:
        used = "+".join(sorted(part.modality.value for part in decision.modalities if part.status is Status.USED))
        self._outcome(used or NOTHING, decision.accepted).inc()
        if used:
            scored = self._by_used.get(used)
            if scored is None:
                scored = self._by_used[used] = self._scores.labels(used)
            scored.observe(decision.score)
        for sample in decision.samples:
            result = "read" if sample.problem is None else sample.problem.reason
            counted = self._by_result.get((sample.modality, result))
            if counted is None:
                counted = self._by_result[sample.modality, result] = self._samples.labels(sample.modality.value, result)
            counted.inc()

    def gallery(self, people: int, *, ready: bool) -> None:
        self._people.set(people)
        self._ready.set(ready)

    def searched(self, seconds: float, *, found: bool) -> None:
        self._searches.labels("found" if found else "no_match").observe(seconds)

    def _outcome(self, used: str, accepted: bool) -> Counter:
        counted = self._by_outcome.get((used, accepted))
        if counted is None:
            counted = self._by_outcome[used, accepted] = self._decisions.labels(
                used, "accepted" if accepted else "rejected"
            )
        return counted
