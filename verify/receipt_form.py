"""Receipts as files: the JSON form of the message ``verify.v1.ErasureReceipt``, or of the answer it came in.

That is what grpcurl prints, and what protobuf's own JSON writes in any language.
"""

from datetime import UTC, datetime
from pathlib import Path

from google.protobuf import json_format

from encode.errors import FieldInvalid, InputError, ReceiptInvalid
from enroll.answers import ErasedTemplate
from enroll.receipts import Statement
from verify.messages import read_modality
from verify.v1 import enrollment_pb2 as pb

MAX_BYTES = 1 << 20


def read_receipt(path: Path) -> tuple[Statement, str, bytes]:
    """What a receipt states, the id of the key that signed it, and the signature.

    Raises
    ------
    ReceiptInvalid : the file holds no receipt. FieldInvalid : it cannot be read.
    """
    message = _message(_content(path))
    return statement_of(message), message.key_id, message.signature


def statement_of(message: pb.ErasureReceipt) -> Statement:
    """What a receipt states. Raises ReceiptInvalid."""
    try:
        # Never quoted, and not chained: it names a person.
        erased_at = message.erased_at.ToDatetime(UTC)
        templates = tuple(
            ErasedTemplate(read_modality(one.modality, "templates"), one.model_digest, one.references)
            for one in message.templates
        )
    except (ValueError, OverflowError):
        raise _no_receipt("its time is none") from None
    except InputError:
        raise _no_receipt("it names a modality there is not") from None
    statement = Statement(message.receipt_id, message.collection, message.person, templates, erased_at)
    if not (statement.receipt_id and statement.person and erased_at > datetime(2000, 1, 1, tzinfo=UTC)):
        raise _no_receipt("its id, its person or its time is missing")
    return statement


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FieldInvalid(
            f"{path} cannot be read: {error.strerror}", field="file", fix="check the path and its permissions"
        ) from error
    if len(data) > MAX_BYTES:
        raise _no_receipt("it is larger than any receipt")
    return data


def _message(data: bytes) -> pb.ErasureReceipt:
    for kind in (pb.DeletePersonResponse, pb.ErasureReceipt):
        try:
            found = json_format.Parse(data.decode("utf-8"), kind())
        except (json_format.ParseError, UnicodeDecodeError, ValueError, RecursionError):
            continue
        return found.receipt if isinstance(found, pb.DeletePersonResponse) else found
    raise _no_receipt("it is not the JSON form of one")


def _no_receipt(why: str) -> ReceiptInvalid:
    return ReceiptInvalid(
        f"the file holds no erasure receipt: {why}",
        field="file",
        fix="keep the answer of DeletePerson as JSON, as grpcurl prints it",
    )
