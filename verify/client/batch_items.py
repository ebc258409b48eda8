"""What goes into a batch, and what comes out: one enrolment or claim, and its answer or error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from encode.errors import CountersignError
from encode.sample import Sample
from verify.client.call import sendable
from verify.client.enrollment_calls import enroll_request
from verify.client.verification_calls import verify_request
from verify.v1 import enrollment_pb2, verification_pb2

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class EnrollItem:
    """References to add to a person. Without a `request_id` one is drawn, which holds for as long as the batch lasts.

    One that follows from person and samples makes the whole batch resumable: see
    :func:`verify.client.request_ids.enrollment_id`.
    """

    collection: str
    person: str
    samples: Sequence[Sample]
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyItem:
    """One claim; as the arguments of `verify`."""

    collection: str
    person: str
    samples: Sequence[Sample]
    target_far: float | None = None
    accept_partial: bool = False


@dataclass(frozen=True, slots=True)
class ItemResult(Generic[_Item, _Answer]):
    """Attributes
    ----------
    index : number of the item in the batch, from 0.
    answer : what the service answered; None where it could not.
    error : why not; None where it did.
    """

    index: int
    item: _Item
    answer: _Answer | None = None
    error: CountersignError | None = None


@dataclass(frozen=True, slots=True)
class BatchMethod(Generic[_Item, _Answer]):
    """Attributes
    ----------
    method : such as ``/verify.v1.EnrollmentService/EnrollBatch``.
    message : a message of the stream, of an index and an item. Raises CountersignError where it cannot be sent.
    response : the type of the messages that come back.
    read : the answer in one that holds no failure.
    """

    method: str
    message: Callable[[int, _Item], Message]
    response: type[Message]
    read: Callable[[Any], _Answer]


def _enroll_message(index: int, item: EnrollItem) -> enrollment_pb2.EnrollBatchRequest:
    request = enroll_request(item.collection, item.person, item.samples, request_id=item.request_id)
    return sendable(enrollment_pb2.EnrollBatchRequest(index=index, item=request))


def _enrolled(response: enrollment_pb2.EnrollBatchResponse) -> enrollment_pb2.EnrollResponse:
    return response.enrolled


def _verify_message(index: int, item: VerifyItem) -> verification_pb2.VerifyBatchRequest:
    request = verify_request(
        item.collection,
        item.person,
        item.samples,
        target_far=item.target_far,
        accept_partial=item.accept_partial,
    )
    return sendable(verification_pb2.VerifyBatchRequest(index=index, item=request))


def _decided(response: verification_pb2.VerifyBatchResponse) -> verification_pb2.VerifyResponse:
    return response.decided


ENROLL_BATCH: BatchMethod[EnrollItem, enrollment_pb2.EnrollResponse] = BatchMethod(
    "/verify.v1.EnrollmentService/EnrollBatch", _enroll_message, enrollment_pb2.EnrollBatchResponse, _enrolled
)
VERIFY_BATCH: BatchMethod[VerifyItem, verification_pb2.VerifyResponse] = BatchMethod(
    "/verify.v1.VerificationService/VerifyBatch", _verify_message, verification_pb2.VerifyBatchResponse, _decided
)
