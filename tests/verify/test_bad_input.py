"""Bad input, sent to a real server: each kind gets a typed error that names the field and says what to do."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from PIL import Image

from encode.sample import ImageSample
from verify.client.client import Client
from verify.v1 import (
    enrollment_pb2,
    enrollment_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    sample_pb2,
    verification_pb2,
    verification_pb2_grpc,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
Wire = sample_pb2.Sample


def image(data: bytes, **fields: Any) -> Wire:
    return Wire(image=sample_pb2.Image(data=data, **fields))


def png(width: int = 32, height: int = 32) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 60).save(buffer, "PNG")
    return buffer.getvalue()


def huge_png_header() -> bytes:
    """A PNG that declares 30,000 × 30,000 pixels and holds a few."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b"")


def animated_webp() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.effect_noise((32, 32), 60) for _ in range(3)]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=50)
    return buffer.getvalue()


def animated_gif() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.effect_noise((32, 32), 60) for _ in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return buffer.getvalue()


STROKES = Wire(strokes=sample_pb2.Strokes(x=[0, 1], y=[0, 1], t_ms=[0, 10]))

SAMPLES: dict[str, tuple[Wire, str, str]] = {
    "empty bytes": (image(b""), "SAMPLE_EMPTY", "samples[0].image.data"),
    "text as image": (image(b"this is no image at all" * 9), "IMAGE_FORMAT_UNSUPPORTED", "samples[0].image.data"),
    "truncated png": (image(png()[:300]), "IMAGE_CORRUPT", "samples[0].image.data"),
    "huge png header": (image(huge_png_header()), "IMAGE_TOO_MANY_PIXELS", "samples[0].image.data"),
    "animated webp": (image(animated_webp()), "IMAGE_ANIMATED", "samples[0].image.data"),
    "animated gif": (image(animated_gif()), "IMAGE_FORMAT_UNSUPPORTED", "samples[0].image.data"),
    "17 MB upload": (image(bytes(17_000_000)), "SAMPLE_TOO_LARGE", "samples[0].image.data"),
    "tiny image": (image(png(4, 4)), "IMAGE_TOO_SMALL", "samples[0].image.data"),
    "crop outside": (
        image(png(), crop=sample_pb2.CropBox(left=0, top=0, right=99, bottom=9)),
        "CROP_INVALID",
        "samples[0].image.crop",
    ),
}
"""Samples that cannot be used: name → (sample, reason, field)."""

REQUESTS: dict[str, tuple[list[Wire], str, str]] = {
    "no samples": ([], "FIELD_MISSING", "samples"),
    "too many samples": ([image(b"1")] * 33, "FIELD_INVALID", "samples"),
    "a sample of nothing": ([image(png()), Wire()], "FIELD_MISSING", "samples[1]"),
    "strokes to a face model": ([STROKES], "WRONG_MODALITY", "samples[0].strokes"),
    "a signature image": (
        [image(png(), modality=sample_pb2.MODALITY_SIGNATURE)],
        "WRONG_MODALITY",
        "samples[0].image",
    ),
    "a modality of the future": ([image(png(), modality=7)], "FIELD_INVALID", "samples[0].image.modality"),  # type: ignore[arg-type]
    "too many points": (
        [Wire(strokes=sample_pb2.Strokes(x=[0] * 20_001))],
        "STROKES_TOO_LONG",
        "samples[0].strokes.x",
    ),
}
"""Sample lists that make a request unusable, to Enroll and Verify alike."""

NAMES: dict[str, tuple[str, str]] = {
    "empty": ("", "FIELD_MISSING"),
    "too long": ("x" * 129, "FIELD_INVALID"),
    "control character": ("ada\n", "FIELD_INVALID"),
    "space around": (" ada", "FIELD_INVALID"),
    "not normal form C": ("e\u0301", "FIELD_INVALID"),
}


def refusal(client: Client, method: str, request: Message) -> tuple[grpc.StatusCode, str, str, list[str]]:
    """Code, reason, field and the fields of the violations of the error that answers; checks that it is whole."""
    stubs = (
        enrollment_pb2_grpc.EnrollmentServiceStub(client.channel),
        verification_pb2_grpc.VerificationServiceStub(client.channel),
        model_pb2_grpc.ModelServiceStub(client.channel),
    )
    for stub in stubs:
        if hasattr(stub, method):
            with pytest.raises(grpc.RpcError) as caught:
                getattr(stub, method)(request, timeout=20)
    call = caught.value
    assert isinstance(call, grpc.Call)
    trailers = dict(call.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == call.code().value[0]
    assert status.message == call.details()
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for message in (info, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    assert info.domain == "countersign"
    assert info.metadata["fix"]
    assert f"({info.metadata['fix']})" in status.message
    assert all(violation.description and violation.reason for violation in bad.field_violations)
    return call.code(), info.reason, info.metadata["field"], [one.field for one in bad.field_violations]


@pytest.fixture
def enrolled(client: Client, face: Callable[..., ImageSample]) -> Client:
    client.enroll("staff", "ada", [face(1, shot) for shot in range(3)], request_id="first")
    return client


def enroll(samples: list[Wire], **fields: Any) -> enrollment_pb2.EnrollRequest:
    return enrollment_pb2.EnrollRequest(**{"collection": "staff", "person": "ada", "samples": samples, **fields})


def verify(samples: list[Wire], **fields: Any) -> verification_pb2.VerifyRequest:
    return verification_pb2.VerifyRequest(**{"collection": "staff", "person": "ada", "samples": samples, **fields})


def test_a_sample_that_cannot_be_used(enrolled: Client) -> None:
    for name, (sample, reason, field) in SAMPLES.items():
        expected = (INVALID, reason, field, [field])
        assert refusal(enrolled, "Verify", verify([sample])) == expected, name
        expected = (grpc.StatusCode.FAILED_PRECONDITION, "TOO_FEW_REFERENCES", field, [field])
        assert refusal(enrolled, "Enroll", enroll([sample])) == expected, name
    assert enrolled.get_person("staff", "ada").templates[0].version == 1


def test_a_list_of_samples_that_cannot_be_used(enrolled: Client) -> None:
    for name, (samples, reason, field) in REQUESTS.items():
        for method, request in (("Enroll", enroll(samples)), ("Verify", verify(samples))):
            assert refusal(enrolled, method, request) == (INVALID, reason, field, [field]), name


def test_names_that_are_none(enrolled: Client) -> None:
    samples = [image(png())]
    for name, (value, reason) in NAMES.items():
        for field in ("collection", "person"):
            ids = {"collection": "staff", "person": "ada", field: value}
            for method, request in (
                ("Enroll", enroll(samples, **ids)),
                ("Verify", verify(samples, **ids)),
                ("GetPerson", enrollment_pb2.GetPersonRequest(**ids)),
                ("DeletePerson", enrollment_pb2.DeletePersonRequest(**ids)),
            ):
                assert refusal(enrolled, method, request) == (INVALID, reason, field, [field]), name
        if value:
            for method, request in (
                ("Enroll", enroll(samples, request_id=value)),
                (
                    "DeletePerson",
                    enrollment_pb2.DeletePersonRequest(collection="staff", person="ada", request_id=value),
                ),
            ):
                assert refusal(enrolled, method, request) == (INVALID, reason, "request_id", ["request_id"]), name


@pytest.mark.parametrize("method", ["Verify", "GetPerson", "DeletePerson"])
def test_an_unknown_person(enrolled: Client, method: str) -> None:
    request = {
        "Verify": verify([image(png())], person="nobody"),
        "GetPerson": enrollment_pb2.GetPersonRequest(collection="staff", person="nobody"),
        "DeletePerson": enrollment_pb2.DeletePersonRequest(collection="staff", person="nobody"),
    }[method]
    assert refusal(enrolled, method, request) == (grpc.StatusCode.NOT_FOUND, "PERSON_UNKNOWN", "person", ["person"])


def test_a_request_id_used_for_another_body(enrolled: Client) -> None:
    expected = (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", "request_id", ["request_id"])
    assert refusal(enrolled, "Enroll", enroll([image(png())], request_id="first")) == expected
    deletion = enrollment_pb2.DeletePersonRequest(collection="staff", person="ada", request_id="first")
    assert refusal(enrolled, "DeletePerson", deletion) == expected


@pytest.mark.parametrize("far", [0.0, 1.0, -0.1, float("nan"), float("inf")])
def test_a_target_far_that_is_none(enrolled: Client, far: float) -> None:
    request = verify([image(png())], target_far=far)
    assert refusal(enrolled, "Verify", request) == (INVALID, "FIELD_INVALID", "target_far", ["target_far"])


def test_a_target_far_that_the_policy_lacks(enrolled: Client) -> None:
    expected = (grpc.StatusCode.FAILED_PRECONDITION, "TARGET_FAR_UNAVAILABLE", "target_far", ["target_far"])
    assert refusal(enrolled, "Verify", verify([image(png())], target_far=0.05)) == expected


@pytest.mark.parametrize("fields", [{"page_size": -1}, {"page_token": "bm8="}, {"page_token": "é"}, {"collection": ""}])
def test_a_listing_that_cannot_be_made(enrolled: Client, fields: dict[str, Any]) -> None:
    request = enrollment_pb2.ListPersonsRequest(**{"collection": "staff", **fields})
    [field] = fields
    code, _, named, violations = refusal(enrolled, "ListPersons", request)
    assert (code, named, violations) == (INVALID, field, [field])


def test_policies_that_are_not_there(enrolled: Client) -> None:
    missing = model_pb2.GetPolicyRequest()
    assert refusal(enrolled, "GetPolicy", missing) == (INVALID, "FIELD_MISSING", "modality", ["modality"])
    unloaded = model_pb2.GetPolicyRequest(modality=sample_pb2.MODALITY_SIGNATURE)
    expected = (grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN", "modality", ["modality"])
    assert refusal(enrolled, "GetPolicy", unloaded) == expected
    fused = model_pb2.GetPolicyRequest(
        modality=sample_pb2.MODALITY_FACE, fused_with=[sample_pb2.MODALITY_FACE, sample_pb2.MODALITY_SIGNATURE]
    )
    expected = (grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN", "fused_with[1]", ["fused_with[1]"])
    assert refusal(enrolled, "GetPolicy", fused) == expected


def test_bytes_that_are_no_message(enrolled: Client) -> None:
    send = enrolled.channel.unary_unary("/verify.v1.VerificationService/Verify")
    for data in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):  # the second: an id that is not UTF-8
        with pytest.raises(grpc.RpcError) as caught:
            send(data, timeout=10)
        assert caught.value.code() is INVALID
        assert "not a message" in caught.value.details()


def test_the_error_of_many_bad_samples_fits_the_trailers(enrolled: Client) -> None:
    code, reason, field, violations = refusal(enrolled, "Enroll", enroll([image(b"text")] * 32))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOO_FEW_REFERENCES")
    assert field == violations[0] == "samples[0].image.data"
    assert len(violations) == 10


def test_more_than_a_call_can_carry_is_refused_before_it_is_sent(enrolled: Client) -> None:
    from encode.errors import FieldInvalid

    samples = [ImageSample(bytes(15 * 1024 * 1024))] * 5
    with pytest.raises(FieldInvalid, match="limit of one call") as caught:
        enrolled.enroll("staff", "ada", samples)
    assert caught.value.field == "samples"


def test_the_service_still_answers_afterwards(enrolled: Client, face: Callable[..., ImageSample]) -> None:
    for sample, _, _ in SAMPLES.values():
        refusal(enrolled, "Verify", verify([sample]))
    assert enrolled.verify("staff", "ada", [face(1, 8)]).accepted
