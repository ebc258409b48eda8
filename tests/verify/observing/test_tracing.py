"""One span a call, below the caller's, and nobody in it; none at all unless a collector is named."""

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from encode.errors import ConfigError, PersonUnknown
from encode.sample import ImageSample, Modality
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.client.batch_items import VerifyItem
from verify.client.client import Client
from verify.model import Model
from verify.observing import tracing as tracing_module
from verify.observing.tracing import tracing
from verify.server_thread import serving
from verify.service_tracing import CallTracing
from verify.settings import ServiceSettings
from verify.v1 import model_pb2

Face = Callable[..., ImageSample]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LIST_MODELS = "/verify.v1.ModelService/ListModels"


class BrokenStore(MemoryStore):
    """Fails in a way that nobody foresaw, with a name in the text."""

    def get(self, collection: str, person: str) -> Any:
        raise ZeroDivisionError(person)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("test")
    provider.shutdown()


@pytest.fixture
def address(models: Mapping[Modality, Model], store: TemplateStore, tracer: Tracer) -> Iterator[str]:
    with serving(models, store, around=[CallTracing(tracer)]) as bound:
        yield bound


@pytest.fixture
def traced(address: str) -> Iterator[Client]:
    with Client(address, timeout=20) as client:
        yield client


def finished(spans: InMemorySpanExporter, count: int = 1) -> tuple[ReadableSpan, ...]:
    """The spans, once there are so many: a caller may have the answer before the span has ended."""
    until = time.monotonic() + 10
    while len(spans.get_finished_spans()) < count and time.monotonic() < until:
        time.sleep(0.005)
    return spans.get_finished_spans()


def list_models(address: str, *metadata: tuple[str, str]) -> None:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(LIST_MODELS, model_pb2.ListModelsRequest.SerializeToString)
        call(model_pb2.ListModelsRequest(), metadata=metadata, timeout=20)


def test_a_call_makes_a_span_of_the_server(traced: Client, spans: InMemorySpanExporter, face: Face) -> None:
    traced.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
    traced.verify("staff", "ada", [face(1, 9)])
    enroll, verify = finished(spans, 2)
    assert (enroll.name, verify.name) == ("verify.v1.EnrollmentService/Enroll", "verify.v1.VerificationService/Verify")
    assert verify.kind is SpanKind.SERVER
    assert verify.parent is None
    attributes = dict(verify.attributes or {})
    uuid.UUID(str(attributes.pop("countersign.request_id")))
    assert attributes == {"rpc.system.name": "grpc", "rpc.method": verify.name, "rpc.response.status_code": "OK"}
    assert verify.start_time is not None
    assert verify.end_time is not None
    assert verify.end_time > verify.start_time


def test_the_span_has_the_request_id_of_the_log(address: str, spans: InMemorySpanExporter, log: io.StringIO) -> None:
    given = str(uuid.uuid4())
    list_models(address, ("x-request-id", given))
    [span] = finished(spans)
    assert (span.attributes or {})["countersign.request_id"] == given
    assert given in {json.loads(line).get("request_id") for line in log.getvalue().splitlines()}


def test_the_callers_trace_goes_on(address: str, spans: InMemorySpanExporter) -> None:
    list_models(address, ("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "vendor=ada-lovelace"))
    [span] = finished(spans)
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert len(span.context.trace_state) == 0


def test_a_caller_who_is_not_sampled_makes_no_span(address: str, spans: InMemorySpanExporter) -> None:
    list_models(address, ("traceparent", f"00-{TRACE}-{SPAN}-00"))
    list_models(address)
    [span] = finished(spans)
    assert f"{span.context.trace_id:032x}" != TRACE


@pytest.mark.parametrize("given", ["", "ada", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01"])
def test_a_traceparent_that_is_none_begins_a_trace(address: str, spans: InMemorySpanExporter, given: str) -> None:
    list_models(address, ("traceparent", given))
    [span] = finished(spans)
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" != TRACE


def test_what_the_caller_did_wrong_is_told_by_its_code(traced: Client, spans: InMemorySpanExporter, face: Face) -> None:
    with pytest.raises(PersonUnknown):
        traced.verify("staff", "nobody", [face(1)])
    [span] = finished(spans)
    assert (span.attributes or {})["rpc.response.status_code"] == "NOT_FOUND"
    assert span.status.status_code is StatusCode.UNSET


def test_what_the_service_did_wrong_is_an_error_without_its_text(
    models: Mapping[Modality, Model], tracer: Tracer, spans: InMemorySpanExporter, face: Face
) -> None:
    with (
        serving(models, BrokenStore(), around=[CallTracing(tracer)]) as address,
        Client(address, timeout=20) as client,
        pytest.raises(Exception, match="incident"),
    ):
        client.verify("staff", "ada lovelace", [face(1)])
    [span] = finished(spans)
    assert (span.attributes or {})["rpc.response.status_code"] == "INTERNAL"
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()
    assert "lovelace" not in span.to_json()


def test_a_stream_is_one_span(traced: Client, spans: InMemorySpanExporter, face: Face) -> None:
    claims = [VerifyItem("staff", "nobody", [face(1)]) for _ in range(3)]
    assert len(list(traced.verify_batch(claims))) == 3
    [span] = finished(spans)
    assert span.name == "verify.v1.VerificationService/VerifyBatch"
    assert (span.attributes or {})["rpc.response.status_code"] == "OK"


def test_health_makes_no_span(traced: Client, spans: InMemorySpanExporter) -> None:
    assert traced.healthy()
    traced.list_models()
    [span] = finished(spans)
    assert span.name == "verify.v1.ModelService/ListModels"


@pytest.fixture(autouse=True)
def _no_collector_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_collector_there_is_no_tracer() -> None:
    with tracing(ServiceSettings()) as tracer:
        assert tracer is None


def missing(_: object) -> TracerProvider:
    raise ModuleNotFoundError("No module named 'opentelemetry'")


def test_the_standard_variables_name_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def provider(endpoint: str | None) -> TracerProvider:
        asked.append(endpoint)
        return TracerProvider(shutdown_on_exit=False)

    monkeypatch.setattr(tracing_module, "_provider", provider)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    with tracing(ServiceSettings()) as tracer:
        assert tracer is not None
    with tracing(ServiceSettings(traces_endpoint="http://other:4318/v1/traces")):
        pass
    assert asked == [None, "http://other:4318/v1/traces"]


def test_a_collector_that_was_asked_for_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing_module, "_provider", missing)
    with (
        pytest.raises(ConfigError, match="OpenTelemetry") as caught,
        tracing(ServiceSettings(traces_endpoint="http://collector:4318/v1/traces")),
    ):
        pass
    assert caught.value.field == "traces_endpoint"


def test_a_standard_variable_meant_for_others_stops_nothing(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    monkeypatch.setattr(tracing_module, "_provider", missing)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")
    with tracing(ServiceSettings()) as tracer:
        assert tracer is None
    assert "no_traces" in log.getvalue()


def test_spans_reach_a_collector_with_the_services_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    taken: list[tuple[str, ExportTraceServiceRequest]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        try:
            with tracing(ServiceSettings(traces_endpoint=endpoint)) as tracer:
                assert tracer is not None
                tracer.start_span("verify.v1.VerificationService/Verify").end()
        finally:
            server.shutdown()
            thread.join()
    [(path, request)] = taken
    assert path == "/v1/traces"
    [resource] = request.resource_spans
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert attributes["service.name"] == "countersign"
    assert resource.scope_spans[0].spans[0].name == "verify.v1.VerificationService/Verify"
