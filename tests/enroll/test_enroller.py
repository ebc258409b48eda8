"""Enrolment: partial success, capacities, repeats, contention and erasure, with embeddings that are known."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import (
    DeadlineExpired,
    ImageCorrupt,
    ModelMismatch,
    PersonUnknown,
    RequestIdReused,
    SampleEmpty,
    StoreCorrupt,
    TemplateFull,
    TooFewReferences,
    VersionConflict,
    WrongModality,
)
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.enroller import Enroller
from enroll.stores.memory import MemoryStore
from enroll.stores.store import Request

NOW = datetime(2025, 3, 1, tzinfo=UTC)
STROKES = StrokesSample(x=(0.0,), y=(0.0,), t=(0.0,))


@dataclass
class DigitEncoder:
    """Reads an image of one digit, b"7" say, as the embedding (7, 7); everything else is corrupt."""

    modality: Modality = Modality.FACE
    model_digest: str = "a" * 64
    embedding_size: int = 2
    batches: list[int] = field(default_factory=list)

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        assert isinstance(sample, ImageSample)
        if not sample.data:
            raise SampleEmpty("the image has no bytes", field="data", fix="send bytes")
        if sample.data == b"nan":
            return np.full((1, 1, 1), np.nan, np.float32)
        if not sample.data.isdigit():
            raise ImageCorrupt("the image does not decode", field="data", fix="send it again")
        return np.full((1, 1, 1), int(sample.data), np.float32)

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(len(inputs))
        return np.repeat(inputs.reshape(-1, 1), 2, axis=1)


@dataclass
class Capacities:
    anchors: int = 2
    recent: int = 3
    minimum: int = 1
    limit: int | None = None
    vector: int = 2


@dataclass
class DigitModel:
    encoder: DigitEncoder = field(default_factory=DigitEncoder)
    identity: Capacities = field(default_factory=Capacities)


def digits(*contents: bytes) -> list[Sample]:
    return [ImageSample(content) for content in contents]


def enroller(model: DigitModel | None = None, store: MemoryStore | None = None) -> tuple[Enroller, MemoryStore]:
    store = store or MemoryStore()
    return Enroller({Modality.FACE: model or DigitModel()}, store, clock=lambda: NOW), store


def references(store: MemoryStore, person: str = "ada") -> list[float]:
    [template] = store.get("staff", person)
    return template.references[:, 0].tolist()


def test_usable_samples_are_enrolled_and_the_others_told_why() -> None:
    model = DigitModel()
    subject, store = enroller(model)
    enrollment = subject.enroll("staff", "ada", digits(b"1", b"", b"2", b"text", b"3"))
    assert references(store) == [1, 2, 3]
    assert model.encoder.batches == [3]
    assert [outcome.accepted for outcome in enrollment.outcomes] == [True, False, True, False, True]
    problems = [outcome.problem for outcome in enrollment.outcomes if outcome.problem]
    assert [(problem.reason, problem.field) for problem in problems] == [
        ("SAMPLE_EMPTY", "samples[1].image.data"),
        ("IMAGE_CORRUPT", "samples[3].image.data"),
    ]
    assert all(problem.message and problem.fix for problem in problems)
    [summary] = enrollment.templates
    assert (summary.anchors, summary.recent, summary.missing, summary.version) == (2, 1, 0, 1)
    assert (summary.modality, summary.model_digest) == (Modality.FACE, "a" * 64)


def test_nothing_usable_is_a_failure_that_names_every_field_and_stores_nothing() -> None:
    subject, store = enroller()
    with pytest.raises(TooFewReferences, match="none of the 2 samples") as caught:
        subject.enroll("staff", "ada", digits(b"text", b""))
    assert caught.value.field == "samples[0].image.data"
    assert [(cause.reason, cause.field) for cause in caught.value.causes] == [
        ("IMAGE_CORRUPT", "samples[0].image.data"),
        ("SAMPLE_EMPTY", "samples[1].image.data"),
    ]
    assert store.get("staff", "ada") == ()


def test_an_embedding_that_is_not_finite_never_becomes_a_reference() -> None:
    subject, store = enroller()
    enrollment = subject.enroll("staff", "ada", digits(b"nan", b"1"))
    assert references(store) == [1]
    problem = enrollment.outcomes[0].problem
    assert problem is not None
    assert (problem.reason, problem.field) == ("SAMPLE_UNUSABLE", "samples[0].image")


def test_later_enrolments_fill_the_ring() -> None:
    subject, store = enroller()
    subject.enroll("staff", "ada", digits(b"1"))
    enrollment = subject.enroll("staff", "ada", digits(b"2", b"3", b"4", b"5", b"6"))
    assert references(store) == [1, 2, 4, 5, 6]
    [summary] = enrollment.templates
    assert (summary.anchors, summary.recent, summary.version) == (2, 3, 2)


def test_missing_references_are_counted() -> None:
    subject, _ = enroller(DigitModel(identity=Capacities(minimum=3)))
    assert subject.enroll("staff", "ada", digits(b"1")).templates[0].missing == 2
    assert subject.enroll("staff", "ada", digits(b"2", b"3")).templates[0].missing == 0


def test_without_a_ring_what_finds_no_place_is_not_called_enrolled() -> None:
    subject, store = enroller(DigitModel(identity=Capacities(anchors=2, recent=0)))
    enrollment = subject.enroll("staff", "ada", digits(b"1", b"text", b"2", b"3"))
    assert references(store) == [1, 2]
    assert [outcome.problem.reason if outcome.problem else "" for outcome in enrollment.outcomes] == [
        "",
        "IMAGE_CORRUPT",
        "",
        "TEMPLATE_FULL",
    ]
    with pytest.raises(TemplateFull):
        subject.enroll("staff", "ada", digits(b"4"))
    assert references(store) == [1, 2]


@pytest.mark.parametrize(
    ("sample", "path"),
    [(STROKES, "samples[1].strokes"), (ImageSample(b"1", modality=Modality.SIGNATURE), "samples[1].image")],
)
def test_a_sample_that_no_model_reads_stops_all_before_any_is_decoded(sample: Sample, path: str) -> None:
    model = DigitModel()
    subject, store = enroller(model)
    with pytest.raises(WrongModality, match="signature") as caught:
        subject.enroll("staff", "ada", [ImageSample(b"1"), sample])
    assert caught.value.field == path
    assert model.encoder.batches == []
    assert store.get("staff", "ada") == ()


def test_another_models_template_is_refused_before_inference() -> None:
    _, store = enroller()
    enroller(store=store)[0].enroll("staff", "ada", digits(b"1"))
    newer = DigitModel(encoder=DigitEncoder(model_digest="b" * 64))
    with pytest.raises(ModelMismatch, match="made by model aaaaaaaaaaaa"):
        enroller(newer, store)[0].enroll("staff", "ada", digits(b"2"))
    assert newer.encoder.batches == []


def request(body: bytes = b"1", method: str = "Enroll", request_id: str = "r1") -> Request:
    return Request("staff", request_id, method, body.rjust(32, b"0"))


def test_a_repeated_enrolment_answers_alike_without_work() -> None:
    model = DigitModel()
    subject, store = enroller(model)
    first = subject.enroll("staff", "ada", digits(b"1", b"text"), request=request())
    subject.enroll("staff", "ada", digits(b"2"))
    assert subject.enroll("staff", "ada", digits(b"1", b"text"), request=request()) == first
    assert references(store) == [1, 2]
    assert model.encoder.batches == [1, 1]
    with pytest.raises(RequestIdReused):
        subject.enroll("staff", "ada", digits(b"3"), request=request(b"2"))


@pytest.mark.parametrize("steps", range(3))
def test_abandoned_work_stores_nothing(steps: int) -> None:
    """The checkpoint is passed before decoding, before inference and before the write; it may end any of them."""
    model = DigitModel()
    subject, store = enroller(model)
    passed = iter(range(steps))

    def checkpoint() -> None:
        if next(passed, None) is None:
            raise DeadlineExpired("late")

    with pytest.raises(DeadlineExpired):
        subject.enroll("staff", "ada", digits(b"1"), checkpoint=checkpoint)
    assert store.get("staff", "ada") == ()
    assert model.encoder.batches == ([1] if steps == 2 else [])


def _run_all(jobs: list[Callable[[], object]]) -> None:
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        barrier.wait()
        job()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_writers_of_one_person_lose_nothing() -> None:
    subject, store = enroller(DigitModel(identity=Capacities(anchors=64, recent=0)))
    contents = [str(number).encode() for number in range(8)]
    _run_all([lambda one=one: subject.enroll("staff", "ada", digits(one)) for one in contents])
    assert sorted(references(store)) == list(range(8))
    assert store.get("staff", "ada")[0].version == 8


def test_equal_requests_at_once_enroll_once_and_answer_alike() -> None:
    subject, store = enroller()
    answers: list[object] = []
    job = lambda: answers.append(subject.enroll("staff", "ada", digits(b"1"), request=request()))  # noqa: E731
    _run_all([job] * 6)
    assert references(store) == [1]
    assert len(answers) == 6
    assert all(answer == answers[0] for answer in answers)


def test_a_person_whom_others_never_stop_changing_is_a_typed_error() -> None:
    class Contended(MemoryStore):
        def save(self, *_: object, **__: object) -> bytes:
            raise VersionConflict("the person's templates were changed", field="person")

    with pytest.raises(VersionConflict):
        enroller(store=Contended())[0].enroll("staff", "ada", digits(b"1"))


def test_erasure_answers_with_a_receipt_that_does_not_name_the_person() -> None:
    subject, store = enroller()
    subject.enroll("staff", "ada", digits(b"1", b"2", b"3"))
    receipt = subject.erase("staff", "ada", request=request(method="DeletePerson"))
    assert store.get("staff", "ada") == ()
    [erased] = receipt.templates
    assert (erased.modality, erased.references, receipt.erased_at) == (Modality.FACE, 3, NOW)
    assert b"ada" not in receipt.to_json()
    assert subject.erase("staff", "ada", request=request(method="DeletePerson")) == receipt
    with pytest.raises(PersonUnknown):
        subject.erase("staff", "ada")
    with pytest.raises(PersonUnknown):
        subject.describe("staff", "ada")


def test_equal_erasures_at_once_get_one_receipt() -> None:
    subject, _ = enroller()
    subject.enroll("staff", "ada", digits(b"1"))
    receipts: list[object] = []
    job = lambda: receipts.append(subject.erase("staff", "ada", request=request(method="DeletePerson")))  # noqa: E731
    _run_all([job] * 6)
    assert len(receipts) == 6
    assert all(receipt == receipts[0] for receipt in receipts)


def test_a_late_repeat_of_an_enrolment_does_not_bring_an_erased_person_back() -> None:
    subject, store = enroller()
    subject.enroll("staff", "ada", digits(b"1"), request=request())
    subject.erase("staff", "ada")
    with pytest.raises(RequestIdReused, match="erased since"):
        subject.enroll("staff", "ada", digits(b"1"), request=request())
    assert store.get("staff", "ada") == ()


def test_a_remembered_answer_that_does_not_decode_is_a_typed_error() -> None:
    subject, store = enroller()
    subject.enroll("staff", "ada", digits(b"1"), request=request())
    store.recorded = lambda _: b"{"  # type: ignore[method-assign]
    with pytest.raises(StoreCorrupt, match="remembered answer"):
        subject.enroll("staff", "ada", digits(b"1"), request=request())


def test_a_person_is_described_even_when_a_model_is_no_longer_loaded() -> None:
    subject, store = enroller()
    subject.enroll("staff", "ada", digits(b"1"))
    assert Enroller({}, store).describe("staff", "ada") == subject.describe("staff", "ada")
