"""Encoded pictures to be hostile with: every format and mode there is a decoder for, bombs, and damage.

Seeds are small, so that a campaign is about parsing; the few that are large are drawn rarely (`picture`).
"""

import io
import random
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
SIDE = 48
BOMB_SHARE = 0.004
_ORIENTATION, _MAKER, _GPS = 0x0112, 0x010F, 0x8825


def face(person: int, shot: int = 0) -> bytes:
    """Person number `person` as a PNG: a fixed coarse pattern, with faint noise of its own in each shot."""
    pattern = np.random.default_rng(person).uniform(40, 215, size=(4, 4))
    noise = np.random.default_rng((person, shot, 1)).normal(0, 6, size=(SIDE, SIDE))
    pixels = np.clip(np.kron(pattern, np.ones((12, 12))) + noise, 0, 255).astype(np.uint8)
    return _encoded(Image.fromarray(pixels), "PNG")


def picture(draw: random.Random) -> bytes:
    """A picture as somebody who means harm would send it: whole but unusual, damaged, or a bomb."""
    if draw.random() < BOMB_SHARE:
        return draw.choice(_bombs())
    data = draw.choice(_seeds())
    how = draw.random()
    if how < 0.2:
        return data
    damaged = damage(draw, data)
    return with_right_checksums(damaged) if how < 0.6 else damaged


def damage(draw: random.Random, data: bytes, *, edits: int = 6) -> bytes:
    """`data` with one to `edits` edits: bytes set, cut, inserted, repeated, or the end torn off."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, edits)):
        # Most of what a parser decides on stands at the beginning.
        reach = min(len(changed), 200) if draw.random() < 0.5 else len(changed)
        at = draw.randint(0, reach)
        edit = draw.randrange(6)
        if edit == 0:
            changed[at : at + 1] = bytes([draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))])
        elif edit == 1 and at < len(changed):
            changed[at] ^= 1 << draw.randrange(8)
        elif edit == 2:
            del changed[at : at + draw.randint(1, 20)]
        elif edit == 3:
            changed[at:at] = draw.randbytes(draw.randint(1, 8))
        elif edit == 4:
            changed[at:at] = changed[at : at + draw.randint(1, 64)]
        else:
            del changed[max(at, draw.choice((0, 12, 40))) :]
    return bytes(changed)


def with_right_checksums(data: bytes) -> bytes:
    """A PNG's chunks with their CRCs made to fit, so that damage reaches the parsers behind the check."""
    if not data.startswith(PNG):
        return data
    found, position = data[:8], 8
    while position + 12 <= len(data):
        length = struct.unpack_from(">I", data, position)[0]
        end = position + 8 + length
        if end + 4 > len(data):
            break
        found += data[position : position + 4] + _checked(data[position + 4 : end])
        position = end + 4
    return found + data[position:]


def png_of(width: int, height: int, content: bytes, *, depth: int = 8, colour: int = 0, before: bytes = b"") -> bytes:
    """A PNG that declares a size and holds `content`, whatever that decodes to."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG + header + before + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + _checked(kind + data)


def _checked(body: bytes) -> bytes:
    return body + struct.pack(">I", zlib.crc32(body))


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def _seeds() -> tuple[bytes, ...]:
    noise = np.random.default_rng(0)
    grey = Image.fromarray(noise.integers(0, 256, (20, 18), dtype=np.uint8))
    colour = Image.fromarray(noise.integers(0, 256, (20, 18, 3), dtype=np.uint8))
    deep = Image.fromarray(noise.integers(0, 65536, (20, 18), dtype=np.uint16))
    palette, other = colour.quantize(16), colour.rotate(90)
    plain = [
        _encoded(image, "PNG")
        for image in (grey, colour, deep, palette, grey.convert("1"), colour.convert("RGBA"), grey.convert("LA"))
    ]
    turned = []
    for orientation in (0, 3, 6, 8, 9, 65535):
        exif = Image.Exif()
        exif.update({_ORIENTATION: orientation, _MAKER: "maker", _GPS: {1: "N", 2: (1.0, 2.0, 3.0)}})
        turned += [_encoded(colour, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP")]
    jpeg = _encoded(colour, "JPEG")
    junk = b"\xff\xe1" + struct.pack(">H", 42) + b"Exif\0\0II*\0" + bytes(range(30))
    return (
        face(1),
        *plain,
        *turned,
        jpeg[:2] + junk + jpeg[2:],
        _encoded(grey, "PNG", transparency=9),
        _encoded(palette, "PNG", transparency=bytes(range(16))),
        _encoded(grey, "PNG", save_all=True, append_images=[grey.rotate(90)]),
        _encoded(colour, "JPEG", progressive=True),
        _encoded(colour.convert("CMYK"), "JPEG"),
        _encoded(colour.convert("YCbCr"), "JPEG", subsampling=2),
        _encoded(colour, "MPO", save_all=True, append_images=[other]),
        _encoded(colour, "WEBP", lossless=True),
        _encoded(colour.convert("RGBA"), "WEBP"),
        _encoded(colour, "WEBP", save_all=True, append_images=[other]),
        *(_encoded(image, "BMP") for image in (grey, colour, palette)),
        *(_encoded(image, "PPM") for image in (grey, colour, grey.convert("1"))),
        b"P5\n18 20\n65535\n" + bytes(720),
        b"P2\n18 20\n255\n" + b" 7" * 360,
        b"PF\n18 20\n-1.0\n" + bytes(18 * 20 * 12),
        b"P5\n# \xff\n99999999999999999999 20\n255\n",
        # Formats whose decoders must stay out of reach.
        *(_encoded(colour, kind) for kind in ("GIF", "TIFF", "ICO", "PCX", "TGA", "PDF")),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"8BPS" + bytes(40),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    )


@cache
def _bombs() -> tuple[bytes, ...]:
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9))
    profile = _chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(40_000_000), 9))
    start_of_frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65_535, 65_535, 3) + bytes(9)
    return (
        png_of(30_000, 30_000, zlib.compress(bytes(1_000))),
        png_of(6_300, 6_300, zlib.compress(bytes(6_300 * 6_301), 9)),
        png_of(2**31 - 1, 1, b""),
        png_of(20, 20, zlib.compress(bytes(60_000_000), 9)),
        png_of(20, 20, zlib.compress(bytes(420)), before=text),
        png_of(20, 20, zlib.compress(bytes(420)), before=profile),
        b"\xff\xd8" + start_of_frame + b"\xff\xd9",
        b"P5\n6300 6300\n255\n" + bytes(1_000),
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f" + bytes(8),
        bytes(17_000_000),
    )
