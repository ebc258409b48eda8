"""Bad strokes, sent to a real server: each kind gets a typed error that names the field and says what to do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from encode.errors import CountersignError, StrokesTooLong
from encode.sample import ImageSample, Modality, StrokesSample
from verify.client.client import Client
from verify.messages import MAX_MESSAGE_BYTES, MAX_POINTS, read_samples, write_sample
from verify.v1 import enrollment_pb2, enrollment_pb2_grpc, sample_pb2, verification_pb2, verification_pb2_grpc

Signature = Callable[..., StrokesSample]

N = 80
GOOD: dict[str, list[float]] = {
    "x": [float(i) for i in range(N)],
    "y": [float(i * i % 31) for i in range(N)],
    "t_ms": [10.0 * i for i in range(N)],
    "pressure": [0.5] * N,
    "pen_down": [True] * N,
}
NAN, INFINITE = float("nan"), float("inf")


def spoilt(**lists: list[Any]) -> sample_pb2.Sample:
    return sample_pb2.Sample(strokes=sample_pb2.Strokes(**{**GOOD, **lists}))


def one_wrong(name: str, value: float) -> sample_pb2.Sample:
    return spoilt(**{name: [*GOOD[name][:7], value, *GOOD[name][8:]]})


MILLION = [0.0] * 1_000_000

STROKES: dict[str, tuple[sample_pb2.Sample, str, str]] = {
    "no points": (sample_pb2.Sample(strokes=sample_pb2.Strokes()), "SAMPLE_EMPTY", "x"),
    "one point": (spoilt(**{name: values[:1] for name, values in GOOD.items()}), "STROKES_TOO_SHORT", "x"),
    "all points equal": (spoilt(x=[3.0] * N, y=[4.0] * N), "STROKES_MOTIONLESS", "x"),
    "x is not a number": (one_wrong("x", NAN), "STROKES_INVALID", "x"),
    "y is infinite": (one_wrong("y", -INFINITE), "STROKES_INVALID", "y"),
    "x is beyond what a float holds": (one_wrong("x", 1e300), "STROKES_INVALID", "x"),
    "time is not a number": (one_wrong("t_ms", NAN), "STROKES_INVALID", "t_ms"),
    "pressure is not a number": (one_wrong("pressure", NAN), "STROKES_INVALID", "pressure"),
    "negative pressure": (one_wrong("pressure", -0.25), "STROKES_INVALID", "pressure"),
    "time runs backwards": (spoilt(t_ms=GOOD["t_ms"][::-1]), "STROKES_TIME_REVERSED", "t_ms"),
    "time stands still": (spoilt(t_ms=[5.0] * N), "STROKES_TOO_SHORT", "t_ms"),
    "the pen is never down": (spoilt(pen_down=[False] * N), "PEN_NEVER_DOWN", "pen_down"),
    "pressure is never above 0": (spoilt(pressure=[0.0] * N, pen_down=[]), "PEN_NEVER_DOWN", "pressure"),
    "a y too few": (spoilt(y=GOOD["y"][:-1]), "STROKES_UNEVEN", "y"),
    "times missing": (spoilt(t_ms=[]), "STROKES_UNEVEN", "t_ms"),
    "a pressure too few": (spoilt(pressure=GOOD["pressure"][:-1]), "STROKES_UNEVEN", "pressure"),
    "a pen_down too few": (spoilt(pen_down=[True]), "STROKES_UNEVEN", "pen_down"),
}
"""Samples that cannot be used, each by itself: name → (sample, reason, field of the strokes)."""

TOO_LONG: dict[str, tuple[sample_pb2.Sample, str]] = {
    "a million points": (sample_pb2.Sample(strokes=sample_pb2.Strokes(x=MILLION, y=MILLION, t_ms=MILLION)), "x"),
    "one point more than the limit": (sample_pb2.Sample(strokes=sample_pb2.Strokes(x=[0.0] * (MAX_POINTS + 1))), "x"),
    "a million pressures": (spoilt(pressure=MILLION), "pressure"),
}
"""Samples for which the whole request is refused, before a point is copied."""


def refusal(client: Client, method: str, request: Message) -> tuple[grpc.StatusCode, str, list[str]]:
    """Code, reason and the fields of the violations of the error that answers; it says what to do."""
    stub = (
        enrollment_pb2_grpc.EnrollmentServiceStub(client.channel)
        if method == "Enroll"
        else verification_pb2_grpc.VerificationServiceStub(client.channel)
    )
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, method)(request, timeout=20)
    call = caught.value
    assert isinstance(call, grpc.Call)
    status = status_pb2.Status.FromString(dict(call.trailing_metadata() or ())["grpc-status-details-bin"])
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert info.metadata["fix"]
    return call.code(), info.reason, [one.field for one in bad.field_violations]


def enroll(*samples: sample_pb2.Sample) -> enrollment_pb2.EnrollRequest:
    return enrollment_pb2.EnrollRequest(collection="staff", person="sid", samples=samples)


def verify(*samples: sample_pb2.Sample) -> verification_pb2.VerifyRequest:
    return verification_pb2.VerifyRequest(collection="staff", person="sid", samples=samples)


@pytest.fixture
def enrolled(pen_client: Client, signature: Signature) -> Client:
    pen_client.enroll("staff", "sid", [signature(1, shot) for shot in range(4)])
    return pen_client


def test_strokes_that_cannot_be_used(enrolled: Client) -> None:
    for name, (sample, reason, part) in STROKES.items():
        field = f"samples[0].strokes.{part}"
        assert refusal(enrolled, "Verify", verify(sample)) == (grpc.StatusCode.INVALID_ARGUMENT, reason, [field]), name
        expected = (grpc.StatusCode.FAILED_PRECONDITION, "TOO_FEW_REFERENCES", [field])
        assert refusal(enrolled, "Enroll", enroll(sample)) == expected, name
    assert enrolled.get_person("staff", "sid").templates[0].version == 1


def test_strokes_that_cannot_be_used_do_not_spoil_those_that_can(enrolled: Client, signature: Signature) -> None:
    good = write_sample(signature(1, 9))
    for name, (sample, reason, part) in STROKES.items():
        answer = verification_pb2_grpc.VerificationServiceStub(enrolled.channel).Verify(verify(good, sample))
        assert answer.accepted, name
        problem = answer.samples[1].problem
        assert (problem.reason, problem.field) == (reason, f"samples[1].strokes.{part}"), name
        assert problem.fix


def test_too_many_points_refuse_the_request(enrolled: Client, signature: Signature) -> None:
    good = write_sample(signature(1, 9))
    for name, (sample, part) in TOO_LONG.items():
        expected = (grpc.StatusCode.INVALID_ARGUMENT, "STROKES_TOO_LONG", [f"samples[1].strokes.{part}"])
        for method, request in (("Verify", verify(good, sample)), ("Enroll", enroll(good, sample))):
            assert refusal(enrolled, method, request) == expected, name


def test_a_million_points_are_counted_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    sample, _ = TOO_LONG["a million points"]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a sample was made of the points")

    monkeypatch.setattr("verify.messages.StrokesSample", never)
    with pytest.raises(StrokesTooLong, match="1,000,000"):
        read_samples([sample])


def test_the_client_tells_of_too_many_points_too(enrolled: Client) -> None:
    points = tuple(MILLION)
    long = StrokesSample(points, points, points)
    with pytest.raises(StrokesTooLong) as caught:
        enrolled.verify("staff", "sid", [long])
    assert caught.value.field == "samples[0].strokes.x"


def test_more_than_a_message_may_hold_is_refused_by_the_transport(enrolled: Client) -> None:
    size = 6 * TOO_LONG["a million points"][0].ByteSize()
    assert size > MAX_MESSAGE_BYTES
    with pytest.raises(grpc.RpcError) as caught:
        enrolled.channel.unary_unary("/verify.v1.VerificationService/Verify")(bytes(size), timeout=20)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("points", [N, MAX_POINTS])
def test_strokes_arrive_as_they_were_sent(points: int) -> None:
    sent = StrokesSample(
        x=tuple(0.5 * i for i in range(points)),
        y=tuple(-0.25 * i for i in range(points)),
        t=tuple(5.0 * i for i in range(points)),
        pressure=tuple(float(i % 1024) for i in range(points)),
        pen_down=tuple(i % 7 != 0 for i in range(points)),
    )
    wire = sample_pb2.Sample.FromString(write_sample(sent).SerializeToString())
    assert read_samples([wire]) == [sent]
    bare = StrokesSample(sent.x, sent.y, sent.t)
    assert read_samples([write_sample(bare)]) == [bare]


def test_a_time_of_20_minutes_keeps_a_tenth_of_a_millisecond() -> None:
    times = tuple(1_200_000.0 + 0.1 * i for i in range(N))
    [got] = read_samples([write_sample(StrokesSample(times, times, times))])
    assert isinstance(got, StrokesSample)
    assert got.t == pytest.approx(times, rel=0, abs=0.1)
    assert len(set(got.t)) > N / 2


def test_strokes_to_a_face_model_are_refused_before_they_are_looked_at(client: Client) -> None:
    for sample, _, _ in STROKES.values():
        for method, request in (("Verify", verify(sample)), ("Enroll", enroll(sample))):
            expected = (grpc.StatusCode.INVALID_ARGUMENT, "WRONG_MODALITY", ["samples[0].strokes"])
            assert refusal(client, method, request) == expected


def test_a_picture_of_a_signature_is_not_what_a_model_of_strokes_reads(
    enrolled: Client, face: Callable[..., ImageSample], signature: Signature
) -> None:
    picture = write_sample(replace(face(1), modality=Modality.SIGNATURE))
    good = write_sample(signature(1, 9))
    for method, request in (("Verify", verify(good, picture)), ("Enroll", enroll(good, picture))):
        expected = (grpc.StatusCode.INVALID_ARGUMENT, "WRONG_MODALITY", ["samples[1].image"])
        assert refusal(enrolled, method, request) == expected


def test_the_service_still_answers_afterwards(enrolled: Client, signature: Signature) -> None:
    for sample, _, _ in STROKES.values():
        with pytest.raises(grpc.RpcError):
            verification_pb2_grpc.VerificationServiceStub(enrolled.channel).Verify(verify(sample), timeout=20)
    assert enrolled.verify("staff", "sid", [signature(1, 8)]).accepted
    assert not enrolled.verify("staff", "sid", [signature(2, 8)]).accepted
    with pytest.raises(CountersignError):
        enrolled.verify("staff", "sid", [])
