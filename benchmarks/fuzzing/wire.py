"""Protocol buffers as bytes, written by hand: what the library would refuse to write can be written too.

https://protobuf.dev/programming-guides/encoding/
"""

import random

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)


def varint(value: int) -> bytes:
    """A number as 1 to 10 bytes; a negative one in two's complement of 64 bits."""
    value &= 2**64 - 1
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def key(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def block(number: int, data: bytes) -> bytes:
    """A field of a length and as many bytes: a string, bytes, a message, packed numbers."""
    return key(number, BYTES) + varint(len(data)) + data


def misread(draw: random.Random, number: int) -> bytes:
    """Field `number` in a wire type drawn at random, and what may or may not belong there."""
    kind = draw.randrange(8)
    if kind == VARINT:
        return key(number, kind) + draw.choice((varint(draw.getrandbits(64)), b"\xff" * 9 + b"\x01", b"\xff" * 11))
    if kind == FIXED64:
        return key(number, kind) + draw.randbytes(8)
    if kind == FIXED32:
        return key(number, kind) + draw.randbytes(4)
    if kind == BYTES:
        length = draw.choice((0, 3, 2**31 - 1, 2**32 - 1, 2**63))
        return key(number, kind) + varint(length) + draw.randbytes(draw.choice((0, 3)))
    if kind == GROUP:
        deep = draw.choice((1, 2, 99, 101, 5_000))
        return key(number, GROUP) * deep + key(number, END_GROUP) * draw.choice((deep, deep - 1))
    return key(number, kind) + draw.randbytes(draw.randrange(5))


def unknown(draw: random.Random) -> bytes:
    """A field nobody declared, among them number 0 and the reserved ones."""
    number = draw.choice((0, 99, 15_000, 19_500, 2**29 - 1, 2**32))
    return misread(draw, number) if draw.random() < 0.3 else block(number, draw.randbytes(draw.choice((0, 5, 2_000))))
