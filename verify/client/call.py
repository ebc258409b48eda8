"""One call of the service as a value: what to send, and how to read what comes back.

A call is built and its answer read in one place, whichever client makes it: the one that blocks or the one that awaits.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from encode.errors import FieldInvalid
from verify.messages import MAX_MESSAGE_BYTES

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_Request = TypeVar("_Request", bound=Message)


@dataclass(frozen=True, slots=True)
class Call(Generic[_Result]):
    """Attributes
    ----------
    method : such as ``/verify.v1.VerificationService/Verify``.
    request : the message to send.
    answer : the type of the message that comes back.
    read : what the caller gets of it.
    """

    method: str
    request: Message
    answer: type[Message]
    read: Callable[[Any], _Result]


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """Some items of a list, and the token of the next page, empty on the last."""

    items: Sequence[_Item]
    next_token: str


@dataclass(frozen=True, slots=True)
class Pages(Generic[_Item]):
    """A list that is told page by page: ``page(token)`` is the call for one, that of the first has the token ""."""

    page: Callable[[str], Call[Page[_Item]]]


def as_it_is(answer: Any) -> Any:
    """Reads an answer that the caller gets whole."""
    return answer


def serialized(message: Message) -> bytes:
    """The bytes of a message of any type."""
    return message.SerializeToString()


def sendable(request: _Request) -> _Request:
    """`request`, unless it is larger than the service takes. Raises FieldInvalid."""
    size = request.ByteSize()
    if size > MAX_MESSAGE_BYTES:
        raise FieldInvalid(
            f"the samples together have {size:,} bytes, the limit of one call is {MAX_MESSAGE_BYTES:,}",
            field="samples",
            fix="send them in several calls",
        )
    return request


def new_request_id() -> str:
    """One that no other call has: what makes a mutation safe to send again."""
    return uuid.uuid4().hex
