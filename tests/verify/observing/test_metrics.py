"""What the service counts of calls, decisions and its queue, and that nobody is in it."""

import threading
from collections.abc import Callable, Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from encode.errors import CountersignError, PersonUnknown
from encode.sample import ImageSample, Modality, StrokesSample
from verify.client.batch_items import VerifyItem
from verify.client.client import Client
from verify.model import Model
from verify.observing.prometheus import PrometheusMetrics
from verify.service_workers import Workers

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
Counted = Callable[..., float]

VERIFY = "verify.v1.VerificationService/Verify"


def test_every_call_is_counted_by_method_and_code(counting_client: Client, counted: Counted, face: Face) -> None:
    counting_client.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
    counting_client.verify("staff", "ada", [face(1, 9)])
    counting_client.verify("staff", "ada", [face(2, 0)])
    with pytest.raises(CountersignError):
        counting_client.verify("staff", "", [face(1, 9)])
    assert counted("requests_total", method=VERIFY, code="OK") == 2
    assert counted("requests_total", method=VERIFY, code="INVALID_ARGUMENT") == 1
    assert counted("requests_total", method="verify.v1.EnrollmentService/Enroll", code="OK") == 1
    assert counted("requests_total") == 4
    assert counted("request_duration_seconds_count", method=VERIFY) == 3
    assert counted("request_duration_seconds_sum", method=VERIFY) > 0


def test_health_and_what_does_not_exist_are_not_counted(counting_client: Client, counted: Counted) -> None:
    """A label that a stranger may choose would let them fill the memory of both services."""
    assert counting_client.healthy()
    assert counted("requests_total") == 0


def test_decisions_are_counted_by_what_was_used(
    counting_client: Client, counted: Counted, face: Face, signature: Signature
) -> None:
    shots = [face(1, shot) for shot in range(5)], [signature(1, shot) for shot in range(6)]
    counting_client.enroll("staff", "ada", [*shots[0], *shots[1]])
    assert counting_client.verify("staff", "ada", [face(1, 9)], target_far=0.1).accepted
    assert not counting_client.verify("staff", "ada", [face(2, 9)], target_far=0.1).accepted
    counting_client.verify("staff", "ada", [face(1, 8), signature(1, 9)], target_far=0.1)
    assert counted("decisions_total", modality="face", outcome="accepted") == 1
    assert counted("decisions_total", modality="face", outcome="rejected") == 1
    assert counted("decisions_total", modality="face+signature") == 1
    assert counted("score_count", modality="face") == 2
    assert counted("score_bucket", modality="face", le="0.0") == 1
    assert counted("score_count", modality="face+signature") == 1


def test_samples_are_counted_by_what_became_of_them(counting_client: Client, counted: Counted, face: Face) -> None:
    counting_client.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
    counting_client.verify("staff", "ada", [face(1, 9), ImageSample(b"no image")])
    assert counted("samples_total", modality="face", result="read") == 1
    assert counted("samples_total") == 2
    assert counted("samples_total", result="IMAGE_FORMAT_UNSUPPORTED") == 1


def test_every_call_that_needs_a_thread_waits_measurably(counting_client: Client, counted: Counted, face: Face) -> None:
    counting_client.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
    counting_client.verify("staff", "ada", [face(1, 9)])
    assert counted("queue_wait_seconds_count") == 2
    assert counted("queue_waiting") == 0


def test_messages_of_a_stream_are_counted_by_what_became_of_them(
    counting_client: Client, counted: Counted, face: Face
) -> None:
    counting_client.enroll("staff", "ada", [face(1, shot) for shot in range(5)])
    claims = [VerifyItem("staff", person, [face(1, 9)]) for person in ("ada", "ada", "nobody")]
    assert len(list(counting_client.verify_batch(claims))) == 3
    batch = "verify.v1.VerificationService/VerifyBatch"
    assert counted("stream_items_total", method=batch, result="ok") == 2
    assert counted("stream_items_total", method=batch, result="PERSON_UNKNOWN") == 1
    assert counted("decisions_total", modality="face") == 2
    assert counted("requests_total", method=batch, code="OK") == 1


class Context:
    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds

    def time_remaining(self) -> float | None:
        return self.seconds


def test_what_waits_what_works_and_what_is_dropped(metrics: PrometheusMetrics, counted: Counted) -> None:
    import asyncio

    gate, begun = threading.Event(), threading.Event()

    def hold(_: Callable[[], None]) -> None:
        begun.set()
        assert gate.wait(10)

    async def scenario() -> None:
        workers = Workers(1, 1, metrics=metrics)
        first = asyncio.ensure_future(workers.run(Context(), hold))
        await asyncio.to_thread(begun.wait, 10)
        second = asyncio.ensure_future(workers.run(Context(0.05), lambda _: None))
        await asyncio.sleep(0)
        assert (counted("queue_working"), counted("queue_waiting")) == (1, 1)
        with pytest.raises(CountersignError, match="waiting"):
            await workers.run(Context(), lambda _: None)
        await asyncio.sleep(0.1)  # until the second's deadline has passed
        gate.set()
        await first
        with pytest.raises(CountersignError, match="deadline"):
            await second
        await asyncio.to_thread(workers.close)
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert (counted("queue_working"), counted("queue_waiting")) == (0, 0)
    assert counted("calls_dropped_total", reason="queue_full") == 1
    assert counted("calls_dropped_total", reason="deadline") == 1


def test_models_are_named_by_digest_and_decisions_begin_at_zero(
    both: Mapping[Modality, Model], metrics: PrometheusMetrics, counted: Counted, registry: CollectorRegistry
) -> None:
    metrics.serving({Modality.FACE: both[Modality.FACE]}, [both[Modality.SIGNATURE]])
    face, signature = both[Modality.FACE], both[Modality.SIGNATURE]
    assert counted("model_info", digest=face.model_digest, role="active") == 1
    assert counted("model_info", digest=signature.model_digest, role="retiring") == 1
    assert b'countersign_decisions_total{modality="face",outcome="accepted"} 0.0' in generate_latest(registry)


def test_batches_and_searches(metrics: PrometheusMetrics, counted: Counted) -> None:
    metrics.batch(Modality.FACE, 3)
    metrics.batch(Modality.FACE, 5)
    metrics.gallery(1_000, ready=True)
    metrics.searched(0.004, found=True)
    metrics.searched(0.004, found=False)
    assert counted("batch_size_sum", modality="face") == 8
    assert (counted("gallery_people"), counted("gallery_ready")) == (1_000, 1)
    assert counted("search_duration_seconds_count", result="no_match") == 1


def test_nobody_is_in_the_metrics(counting_client: Client, registry: CollectorRegistry, face: Face) -> None:
    counting_client.enroll("secret-collection", "secret-person", [face(1, shot) for shot in range(5)])
    counting_client.verify("secret-collection", "secret-person", [face(1, 9)])
    with pytest.raises(PersonUnknown):
        counting_client.verify("secret-collection", "secret-nobody", [face(1, 9)])
    counting_client.delete_person("secret-collection", "secret-person")
    text = generate_latest(registry).decode()
    assert "DeletePerson" in text
    assert "secret" not in text


def test_every_label_is_one_of_a_known_few(registry: CollectorRegistry, metrics: PrometheusMetrics) -> None:
    """A new label is a decision about who may be in it: this test makes it one."""
    labels = {label for name in registry._names_to_collectors.values() for label in getattr(name, "_labelnames", ())}
    assert labels == {"method", "code", "reason", "modality", "outcome", "result", "name", "digest", "role", "version"}
