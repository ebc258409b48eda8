"""Requests of every method, walked from their descriptors: plausible in most fields, hostile in some.

A field is left out, at its default, huge, negative, not a number, in bytes that are no text, in text that tricks, sent
twice, sent in another wire type, or repeated to the limit and beyond. `hostility` is the share of fields so treated: at
little of it a request passes most checks and fails deep inside.
"""

import random
from collections.abc import Sequence

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from fuzzing.pens import Lists, signature, strokes
from fuzzing.pictures import damage, face, picture
from fuzzing.texts import hostile_text, plausible_text
from fuzzing.wire import BYTES, FIXED32, FIXED64, VARINT, block, key, misread, unknown, varint
from verify.v1 import enrollment_pb2, model_pb2, verification_pb2

Field = FieldDescriptor
_TEXT = {Field.TYPE_STRING}
_REALS = {Field.TYPE_FLOAT: ("<f4", FIXED32), Field.TYPE_DOUBLE: ("<f8", FIXED64)}
_WHOLE = (0, 1, -1, 2, 100, 1_000, 2**31 - 1, -(2**31), 2**32, 2**63 - 1, -(2**63))
_REAL = (0.0, -0.0, 1.0, 0.001, -0.1, 1e-45, 1e38, float("nan"), float("inf"), float("-inf"))
_REPEATS = (0, 1, 2, 3, 32, 33, 500)
TARGETS = (0.1, 0.05, 0.01, 0.001)

METHODS: dict[str, Descriptor] = {
    f"/{service.full_name}/{method.name}": method.input_type
    for module in (enrollment_pb2, verification_pb2, model_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every method of the service → its request."""


def request(draw: random.Random, method: str) -> bytes:
    """The body of a call of `method`, seldom a message that can be answered with OK."""
    hostility = draw.choice((0.0, 0.02, 0.05, 0.05, 0.3, 0.9))
    body = _message(draw, METHODS[method], hostility)
    how = draw.random()
    if how < 0.1 or (hostility == 0.0 and how < 0.5):
        return damage(draw, body, edits=3)
    if how < 0.2:
        return body + unknown(draw)
    if how < 0.25:
        return body[: draw.randint(0, len(body))]
    # The last of two counts: a second message is merged into the first.
    return body + _message(draw, METHODS[method], hostility) if how < 0.3 else body


def _message(draw: random.Random, kind: Descriptor, hostility: float) -> bytes:
    chosen = {one.name: draw.choice(one.fields) for one in kind.oneofs if len(one.fields) > 1}
    parts = []
    for field in kind.fields:
        inside = field.containing_oneof
        if draw.random() < hostility:
            parts += _hostile(draw, field, hostility)
        elif inside is None or chosen.get(inside.name, field) is field:
            parts += _plausible(draw, field, hostility)
    if draw.random() < hostility:
        draw.shuffle(parts)
    return b"".join(parts)


def _plausible(draw: random.Random, field: FieldDescriptor, hostility: float) -> list[bytes]:
    # What is within a sample is as often hostile where all else is plausible.
    inside = hostility == 0.0 and draw.random() < 0.5
    if field.full_name == "verify.v1.Image.data":
        return [block(field.number, picture(draw) if inside else face(draw.randrange(6), draw.randrange(4)))]
    if field.message_type is not None and field.message_type.name == "Strokes":
        lists = strokes(draw) if inside else signature(draw.randrange(6), draw.randrange(4))
        return [block(field.number, write_strokes(lists, field.message_type))]
    if field.full_name == "verify.v1.DeletePersonRequest.person":
        # Those whom others ask for stay, as a rule.
        return [block(field.number, f"person {draw.randrange(200)}".encode())]
    if field.name in ("crop", "page_size", "request_id", "page_token", "fused_with") and draw.random() < 0.7:
        return []
    count = draw.choice((1, 1, 2)) if field.is_repeated else 1
    if field.message_type is not None:
        return [block(field.number, _message(draw, field.message_type, hostility)) for _ in range(count)]
    if field.type in _TEXT:
        return [block(field.number, plausible_text(draw, field.name)) for _ in range(count)]
    if field.type in _REALS:
        return [_number(field, draw.choice(TARGETS))]
    return [_number(field, draw.choice((0, 1, 2))) for _ in range(count)]


def _hostile(draw: random.Random, field: FieldDescriptor, hostility: float) -> list[bytes]:
    how = draw.random()
    if how < 0.15:
        return []
    if how < 0.25:
        return [misread(draw, field.number)]
    count = draw.choice(_REPEATS) if field.is_repeated else draw.choice((1, 1, 1, 2))
    if field.message_type is not None and count > 3:
        one = _value(draw, field, 0.2)
        return [one] * count if len(one) * count < 2_000_000 else [one]
    return [_value(draw, field, hostility) for _ in range(count)]


def _value(draw: random.Random, field: FieldDescriptor, hostility: float) -> bytes:
    if field.message_type is not None:
        if field.message_type.name == "Strokes":
            return block(field.number, write_strokes(strokes(draw), field.message_type, packed=draw.random() < 0.8))
        return block(field.number, _message(draw, field.message_type, hostility) if draw.random() < 0.9 else b"")
    if field.type == Field.TYPE_BYTES:
        return block(field.number, picture(draw))
    if field.type in _TEXT:
        return block(field.number, hostile_text(draw))
    return _number(field, draw.choice(_REAL if field.type in _REALS else _WHOLE))


def _number(field: FieldDescriptor, value: float) -> bytes:
    if field.type in _REALS:
        form, kind = _REALS[field.type]
        return key(field.number, kind) + _packed((value,), form)
    return key(field.number, VARINT) + varint(int(value))


def write_strokes(lists: Lists, kind: Descriptor, *, packed: bool = True) -> bytes:
    """``verify.v1.Strokes`` with the lists by name, each in one block or a value at a time."""
    written = b""
    for name, values in lists.items():
        field = kind.fields_by_name[name]
        real = field.type in _REALS
        data = _packed(values, "<f4") if real else bytes(1 if value else 0 for value in values)
        if packed or len(values) > 1_000:
            written += key(field.number, BYTES) + varint(len(data)) + data
        else:
            size = 4 if real else 1
            tag = key(field.number, FIXED32 if real else VARINT)
            written += b"".join(tag + data[at : at + size] for at in range(0, len(data), size))
    return written


def _packed(values: Sequence[float], form: str) -> bytes:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as it is to a caller who converts
        return np.asarray(values, np.float64).astype(form).tobytes()
