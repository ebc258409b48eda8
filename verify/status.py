"""The error tree on the wire: one table from error class to gRPC code, and the google.rpc.Status around it.

Every error travels as google.rpc.Status with

    ErrorInfo    reason (stable, upper-snake), domain "countersign", metadata: field, fix, incident where there are such
    BadRequest   one violation for each field at fault
    RetryInfo    where the same call may be made again later

and comes back as the same class on the client's side.
"""

import math

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from encode.errors import (
    AccessError,
    AuditBroken,
    BundleError,
    ConfigError,
    Conflict,
    CorpusError,
    CountersignError,
    DeadlineExpired,
    GalleryBuilding,
    InputError,
    NotFound,
    RequestIdReused,
    ServiceError,
    ServiceFailed,
    ServiceOverloaded,
    ServiceUnavailable,
    StateError,
    StoreCorrupt,
    StoreError,
    TokenInvalid,
    TooFewReferences,
    TrainingError,
    TrialsError,
    TryLater,
)
from verify.v1 import sample_pb2

DOMAIN = "countersign"
STATUS_KEY = "grpc-status-details-bin"

_MAX_VIOLATIONS = 10
"""Fields named by one error: it travels in HTTP/2 trailers, of which peers accept 8 KiB."""

CODES: dict[type[CountersignError], grpc.StatusCode] = {
    InputError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.ABORTED,
    RequestIdReused: grpc.StatusCode.ALREADY_EXISTS,
    StateError: grpc.StatusCode.FAILED_PRECONDITION,
    AccessError: grpc.StatusCode.PERMISSION_DENIED,
    TokenInvalid: grpc.StatusCode.UNAUTHENTICATED,
    TryLater: grpc.StatusCode.RESOURCE_EXHAUSTED,
    GalleryBuilding: grpc.StatusCode.UNAVAILABLE,
    DeadlineExpired: grpc.StatusCode.DEADLINE_EXCEEDED,
    ServiceError: grpc.StatusCode.INTERNAL,
    ServiceUnavailable: grpc.StatusCode.UNAVAILABLE,
    ServiceOverloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreError: grpc.StatusCode.UNAVAILABLE,
    StoreCorrupt: grpc.StatusCode.DATA_LOSS,
    AuditBroken: grpc.StatusCode.DATA_LOSS,
    # These are met before a service runs, or where none does; the table is whole all the same.
    BundleError: grpc.StatusCode.FAILED_PRECONDITION,
    ConfigError: grpc.StatusCode.FAILED_PRECONDITION,
    CorpusError: grpc.StatusCode.FAILED_PRECONDITION,
    TrialsError: grpc.StatusCode.FAILED_PRECONDITION,
    TrainingError: grpc.StatusCode.FAILED_PRECONDITION,
}
"""Each class stands for its subclasses too, unless they have a line of their own."""


def code_of(kind: type[CountersignError]) -> grpc.StatusCode:
    """The gRPC code of an error class: its own line of the table, or its nearest ancestor's."""
    for ancestor in kind.__mro__:
        if ancestor in CODES:
            return CODES[ancestor]
    raise LookupError(f"{kind.__name__} has no gRPC code")


def to_status(error: CountersignError) -> status_pb2.Status:
    """The google.rpc.Status that tells a caller of `error`."""
    metadata = {"field": error.field, "fix": error.fix}
    if isinstance(error, ServiceFailed):
        metadata["incident"] = error.incident
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata={key: value for key, value in metadata.items() if value}
    )
    causes: tuple[CountersignError, ...] = error.causes if isinstance(error, TooFewReferences) else ()
    violations = [
        error_details_pb2.BadRequest.FieldViolation(
            field=cause.field, description=_sentence(cause), reason=cause.reason
        )
        for cause in causes[:_MAX_VIOLATIONS] or (error,)
        if cause.field
    ]
    status = status_pb2.Status(code=code_of(type(error)).value[0], message=str(error))
    details: list[Message] = [info]
    if violations:
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, TryLater):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(math.ceil(1e3 * error.retry_after))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def to_failure(error: CountersignError) -> sample_pb2.Failure:
    """What a message of a stream is answered with where `error` is what a call of its own would have ended with."""
    return sample_pb2.Failure(
        code=code_of(type(error)).name,
        reason=error.reason,
        field=error.field or "",
        message=error.message,
        fix=error.fix or "",
        retry_after=getattr(error, "retry_after", 0.0),
    )


def from_failure(failure: sample_pb2.Failure) -> CountersignError:
    """The error of the tree that one message of a stream was answered with, on the client's side."""
    field, fix = failure.field or None, failure.fix or None
    kind = _BY_REASON.get(failure.reason)
    if kind is None:  # a newer service's
        return ServiceFailed(f"the service answered {failure.code}: {failure.message}", field=field, fix=fix)
    if issubclass(kind, TryLater):
        return kind(failure.message, field=field, fix=fix, retry_after=failure.retry_after)
    return kind(failure.message, field=field, fix=fix)


def from_rpc_error(error: grpc.RpcError) -> CountersignError:
    """The error of the tree that a failed call stands for, on the client's side."""
    # Errors of a channel are calls too, which is where code, details and trailing metadata are.
    call: grpc.Call = error  # type: ignore[assignment]
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):  # not written by this service: a proxy's, say
        status = None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details if status is not None else ():
        for known in (info, retry):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    if info.domain == DOMAIN and info.reason in _BY_REASON:
        return _rebuild(_BY_REASON[info.reason], call.details() or "", info, retry)
    code = call.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExpired("the service did not answer in time", fix="allow more time")
    if code is grpc.StatusCode.UNAVAILABLE:
        if "handshake failed" in (call.details() or ""):  # gRPC tells it by these words alone
            return ServiceUnavailable(
                "no TLS with the address: its certificate is not trusted, or it speaks none",
                fix="give --tls-ca with the service's certificate, and the name that is in it",
            )
        return ServiceUnavailable(
            "nothing answers at the address",
            fix="start it with `countersign serve`, give its --address, or --tls-ca if it speaks TLS",
        )
    return ServiceFailed(f"the service answered {code.name}", fix="check that the address is Countersign's")


def _rebuild(
    kind: type[CountersignError], text: str, info: error_details_pb2.ErrorInfo, retry: error_details_pb2.RetryInfo
) -> CountersignError:
    field, fix = info.metadata.get("field"), info.metadata.get("fix")
    message = text.removeprefix(f"{field}: ").removesuffix(f" ({fix})")
    if issubclass(kind, ServiceFailed):
        return kind(message, field=field, fix=fix, incident=info.metadata.get("incident"))
    if issubclass(kind, TryLater):
        return kind(message, field=field, fix=fix, retry_after=retry.retry_delay.ToMilliseconds() / 1e3)
    return kind(message, field=field, fix=fix)


def _sentence(error: CountersignError) -> str:
    return f"{error.message}; {error.fix}" if error.fix else error.message


def error_classes() -> list[type[CountersignError]]:
    """Every class of the tree, the root first."""
    found: list[type[CountersignError]] = [CountersignError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


_BY_REASON = {kind.reason: kind for kind in error_classes()}
