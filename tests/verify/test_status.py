"""The one mapping from the error tree to the wire: whole, pinned, and undone by the client."""

import ast
import re
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

import encode.errors
from encode.errors import CountersignError, ImageCorrupt, LockedOut, ServiceFailed, TooFewReferences
from verify.status import CODES, code_of, error_classes, from_rpc_error, to_status

EXPECTED = {
    "INVALID_ARGUMENT": {"InputError", "FieldMissing", "FieldInvalid", "WrongModality", "SampleError", "SampleEmpty"}
    | {"ReceiptInvalid"}
    | {"SampleTooLarge", "ImageFormatUnsupported", "ImageCorrupt", "ImageTooManyPixels", "ImageTooSmall"}
    | {"ImageAnimated", "CropInvalid", "StrokesUneven", "StrokesInvalid", "StrokesTooShort", "StrokesTooLong"}
    | {"StrokesTimeReversed", "StrokesMotionless", "PenNeverDown", "StrokesFileInvalid"},
    "NOT_FOUND": {"NotFound", "PersonUnknown", "QuarantineEmpty", "TemplateVersionUnknown", "ModelUnknown"},
    "ALREADY_EXISTS": {"RequestIdReused"},
    "ABORTED": {"Conflict", "VersionConflict"},
    "FAILED_PRECONDITION": {"StateError", "TooFewReferences", "TemplateFull", "ModelMismatch", "PolicyMismatch"}
    | {"CandidateUnfit", "IdentifyOff"}
    | {"TargetFarUnavailable", "BundleError", "BundleIncomplete", "BundleDigestMismatch", "BundleVersionUnsupported"}
    | {"BundleShapeMismatch", "BundleCorrupt", "ConfigError", "AddressInUse", "CorpusError", "CorpusMissing"}
    | {"CorpusInvalid", "CorpusOverlap", "TrialsError", "TrainingError"},
    "UNAUTHENTICATED": {"TokenInvalid"},
    "PERMISSION_DENIED": {"AccessError", "ScopeMissing"},
    "DEADLINE_EXCEEDED": {"DeadlineExpired"},
    "INTERNAL": {"ServiceError", "ServiceFailed"},
    "UNAVAILABLE": {"ServiceUnavailable", "StoreError", "StoreUnavailable", "StoreKeyMissing", "GalleryBuilding"},
    "RESOURCE_EXHAUSTED": {"ServiceOverloaded", "TryLater", "RateLimited", "LockedOut"},
    "DATA_LOSS": {"StoreCorrupt", "AuditBroken"},
}
TREE = error_classes()
LEAVES = [kind for kind in TREE if kind is not CountersignError]


def test_every_class_of_the_tree_has_the_code_written_here() -> None:
    """Written out by hand, so that a new class fails here until somebody has decided what callers should see."""
    assert {kind.__name__ for kind in LEAVES} == {name for names in EXPECTED.values() for name in names}
    for code, names in EXPECTED.items():
        for kind in LEAVES:
            if kind.__name__ in names:
                assert code_of(kind).name == code


def test_the_root_itself_has_no_code() -> None:
    assert CountersignError not in CODES
    with pytest.raises(LookupError, match="no gRPC code"):
        code_of(CountersignError)


def test_errors_are_defined_in_the_tree_and_nowhere_else() -> None:
    assert {kind.__module__ for kind in TREE} == {"encode.errors"}
    source = Path(encode.errors.__file__ or "").read_text()
    defined = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}
    assert defined == {kind.__name__ for kind in TREE}
    drawn = set(re.findall(r"[├└]── (\w+)", encode.errors.__doc__ or ""))
    assert drawn == defined - {"CountersignError"}


def test_reasons_are_stable_names_and_each_class_has_its_own() -> None:
    reasons = [kind.reason for kind in TREE]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{2,62}", reason) for reason in reasons)


class FailedCall(grpc.RpcError):
    """A failed call as the client sees it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._answer = code, details, trailers

    def code(self) -> grpc.StatusCode:
        return self._answer[0]

    def details(self) -> str:
        return self._answer[1]

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._answer[2]


def through_the_wire(error: CountersignError) -> CountersignError:
    status = to_status(error)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    return from_rpc_error(FailedCall(code_of(type(error)), status.message, trailers))


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("field", ["samples[2].image.data", None])
@pytest.mark.parametrize("fix", ["do this (or that)", None])
def test_the_client_gets_the_same_error_back(kind: type[CountersignError], field: str | None, fix: str | None) -> None:
    sent = kind("what happened (exactly)", field=field, fix=fix)
    got = through_the_wire(sent)
    assert type(got) is kind
    assert (got.message, got.field, got.fix) == (sent.message, field, fix)


def test_an_incident_is_kept() -> None:
    got = through_the_wire(ServiceFailed("unforeseen", incident="abc"))
    assert isinstance(got, ServiceFailed)
    assert got.incident == "abc"


def test_the_time_to_wait_is_kept_and_travels_as_retry_info() -> None:
    sent = LockedOut("too many", retry_after=32.5)
    retry = error_details_pb2.RetryInfo()
    assert to_status(sent).details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 32_500
    got = through_the_wire(sent)
    assert isinstance(got, LockedOut)
    assert got.retry_after == 32.5


def test_every_cause_is_a_violation_up_to_a_limit() -> None:
    causes = [ImageCorrupt("damaged", field=f"samples[{index}].image.data", fix="send it again") for index in range(32)]
    status = to_status(TooFewReferences("none can be used", field="samples[0].image.data", causes=causes))
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert [one.field for one in bad.field_violations] == [f"samples[{index}].image.data" for index in range(10)]
    assert bad.field_violations[0].description == "damaged; send it again"
    assert bad.field_violations[0].reason == "IMAGE_CORRUPT"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXPIRED"),
        (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE"),
        (grpc.StatusCode.UNIMPLEMENTED, "SERVICE_FAILED"),
    ],
)
@pytest.mark.parametrize("trailers", [(), (("grpc-status-details-bin", b"\xff\xff"),)])
def test_errors_of_the_transport_or_a_proxy_are_typed_too(
    code: grpc.StatusCode, reason: str, trailers: tuple[tuple[str, bytes], ...]
) -> None:
    assert from_rpc_error(FailedCall(code, "words of a proxy", trailers)).reason == reason
