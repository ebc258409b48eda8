"""Whatever bytes arrive: one upright image within the caps, or one typed error that names its field."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from encode.errors import (
    CropInvalid,
    ImageAnimated,
    ImageCorrupt,
    ImageFormatUnsupported,
    ImageTooManyPixels,
    ImageTooSmall,
    SampleEmpty,
    SampleError,
    SampleTooLarge,
)
from encode.image import ACCEPTED_NAMES, ImageLimits, crop_image, decode_image
from encode.sample import CropBox

Encoded = Callable[..., bytes]

GREY = np.random.default_rng(0).integers(0, 256, (30, 24), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (30, 24, 3), dtype=np.uint8)
FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares its size and holds next to nothing."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def webp_header(width: int, height: int) -> bytes:
    """An extended WebP: the canvas as two 24-bit values, each minus one."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of_size(encoded: Encoded, width: int, height: int) -> bytes:
    """A small JPEG whose frame header is made to declare other sides."""
    data = encoded(GREY, "JPEG")
    start = data.index(b"\xff\xc0")
    return data[: start + 5] + struct.pack(">HH", height, width) + data[start + 9 :]


@pytest.mark.parametrize("format", FORMATS)
def test_every_accepted_format_is_read(encoded: Encoded, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    image = decode_image(encoded(COLOUR, format, **options))
    assert image.size == (24, 30)
    assert np.abs(np.asarray(image.convert("RGB"), int) - COLOUR).mean() < (50 if format == "JPEG" else 0.5)


def test_pgm_is_read_in_binary_and_in_text() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    binary = b"P5\n# a comment\n16 16\n255\n" + values.tobytes()
    text = b"P2\n16 16\n255\n" + b" ".join(b"%d" % value for value in values.ravel())
    for data in (binary, text):
        np.testing.assert_array_equal(np.asarray(decode_image(data)), values)


BAD: dict[str, tuple[Callable[[Encoded], bytes], type[SampleError], str]] = {
    "empty": (lambda _: b"", SampleEmpty, "no bytes"),
    "one byte": (lambda _: b"\x89", ImageFormatUnsupported, "not an image"),
    "text": (lambda _: b"this is a letter, not a picture\n" * 20, ImageFormatUnsupported, "not an image"),
    "zeros": (lambda _: bytes(4096), ImageFormatUnsupported, "not an image"),
    "17 MB": (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(17 * 1024 * 1024), SampleTooLarge, "17,825,800 bytes"),
    "GIF": (lambda encoded: encoded(GREY, "GIF"), ImageFormatUnsupported, "not an image"),
    "animated GIF": (
        lambda encoded: encoded(GREY, "GIF", save_all=True, append_images=[Image.fromarray(GREY[::-1].copy())]),
        ImageFormatUnsupported,
        "not an image",
    ),
    "TIFF": (lambda encoded: encoded(GREY, "TIFF"), ImageFormatUnsupported, "not an image"),
    "SVG": (
        lambda _: b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect/></svg>',
        ImageFormatUnsupported,
        "not an image",
    ),
    "PDF": (lambda encoded: encoded(GREY, "PDF"), ImageFormatUnsupported, "not an image"),
    "icon": (lambda encoded: encoded(GREY, "ICO"), ImageFormatUnsupported, "not an image"),
    "JPEG 2000": (lambda _: b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64), ImageFormatUnsupported, "not an image"),
    "float map": (
        lambda _: b"Pf\n20 20\n-1.0\n" + np.full(400, np.nan, "<f4").tobytes(),
        ImageFormatUnsupported,
        "not an image",
    ),
    "PNG header of 30,000 x 30,000": (lambda _: png_header(30_000, 30_000), ImageTooManyPixels, "more pixels"),
    "PNG header of 10,000 x 10,000": (lambda _: png_header(10_000, 10_000), ImageTooManyPixels, "10,000 x 10,000"),
    "PNG header of 8,000 x 8,000": (lambda _: png_header(8_000, 8_000), ImageTooManyPixels, "8,000 x 8,000"),
    "BMP header of 30,000 x 30,000": (lambda _: bmp_header(30_000, 30_000), ImageTooManyPixels, "more pixels"),
    "PGM header of 30,000 x 30,000": (lambda _: b"P5\n30000 30000\n255\n0", ImageTooManyPixels, "more pixels"),
    "JPEG header of 30,000 x 30,000": (
        lambda encoded: jpeg_of_size(encoded, 30_000, 30_000),
        ImageTooManyPixels,
        "more pixels",
    ),
    "WebP header of 16,000 x 16,000": (lambda _: webp_header(16_000, 16_000), ImageTooManyPixels, "more pixels"),
    "15 pixels high": (lambda encoded: encoded(GREY[:15]), ImageTooSmall, "24 x 15 pixels"),
    "1 x 1": (lambda encoded: encoded(GREY[:1, :1]), ImageTooSmall, "1 x 1 pixels"),
    "0 x 0": (lambda _: png_header(0, 0), ImageCorrupt, "header is damaged"),
    "animated PNG": (
        lambda encoded: encoded(GREY, "PNG", save_all=True, append_images=[Image.fromarray(GREY[::-1].copy())]),
        ImageAnimated,
        "2 frames",
    ),
    "animated WebP": (
        lambda encoded: encoded(GREY, "WEBP", save_all=True, append_images=[Image.fromarray(GREY[::-1].copy())]),
        ImageAnimated,
        "2 frames",
    ),
    "text bomb in a PNG": (
        lambda encoded: encoded(GREY, "PNG", pnginfo=_bomb_of_text()),
        ImageCorrupt,
        "damaged",
    ),
}


def _bomb_of_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 30_000_000, zip=True)
    return info


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_refused_by_name(encoded: Encoded, name: str) -> None:
    make, kind, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        decode_image(make(encoded))
    assert caught.value.field == "data"
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("format", FORMATS)
def test_truncated_images_are_refused(encoded: Encoded, format: str, share: float) -> None:
    whole = encoded(np.random.default_rng(5).integers(0, 256, (60, 50, 3), dtype=np.uint8), format)
    with pytest.raises(SampleError) as caught:
        decode_image(whole[: int(len(whole) * share)])
    assert caught.value.field == "data"
    if share >= 0.2:
        assert isinstance(caught.value, ImageCorrupt)


def test_an_unsupported_format_is_told_which_are_supported(encoded: Encoded) -> None:
    with pytest.raises(ImageFormatUnsupported, match="PNG, JPEG, PGM, BMP or WebP"):
        decode_image(encoded(GREY, "TIFF"))
    assert {"PNG", "JPEG", "BMP"} <= set(ACCEPTED_NAMES.replace(",", "").split())


def test_limits_bind_at_their_values(encoded: Encoded) -> None:
    data = encoded(GREY)
    assert decode_image(data, ImageLimits(max_bytes=len(data), max_pixels=30 * 24, min_side=24)).size == (24, 30)
    with pytest.raises(SampleTooLarge):
        decode_image(data, ImageLimits(max_bytes=len(data) - 1))
    with pytest.raises(ImageTooManyPixels, match="limit is 719"):
        decode_image(data, ImageLimits(max_pixels=719))
    with pytest.raises(ImageTooSmall, match="at least 25"):
        decode_image(data, ImageLimits(min_side=25))


UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, 1),
}
"""EXIF orientation → what turns the stored pixels upright (EXIF 2.32, tag 0x0112)."""


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(encoded: Encoded, orientation: int, format: str) -> None:
    # Four flat quarters survive JPEG nearly as they are.
    stored = np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((24, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encoded(stored, format, exif=exif)).convert("L")
    expected = UPRIGHT[orientation](stored)
    assert image.size == expected.shape[::-1]
    assert np.abs(np.asarray(image, int) - expected).max() <= 16


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_nonsense_orientation_is_ignored(encoded: Encoded, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(np.asarray(decode_image(encoded(GREY, exif=exif))), GREY)


def test_the_photograph_of_a_multi_picture_jpeg_is_read(encoded: Encoded) -> None:
    """Phones store a depth map or a preview behind the picture; such a file is one photograph, not an animation."""
    second = Image.fromarray(np.zeros((30, 24, 3), np.uint8))
    data = encoded(np.full((30, 24, 3), 200, np.uint8), "MPO", save_all=True, append_images=[second])
    assert abs(float(np.asarray(decode_image(data)).mean()) - 200) < 2


@pytest.mark.parametrize(
    ("mode", "format", "decoded"),
    [
        ("1", "PNG", "1"),
        ("P", "PNG", "P"),
        ("LA", "PNG", "LA"),
        ("RGBA", "PNG", "RGBA"),
        ("I;16", "PNG", "I;16"),
        ("CMYK", "JPEG", "CMYK"),
        ("P", "BMP", "P"),
    ],
)
def test_the_files_own_mode_is_kept(encoded: Encoded, mode: str, format: str, decoded: str) -> None:
    image = Image.fromarray(GREY.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(COLOUR).convert(mode)
    assert decode_image(encoded(image, format)).mode == decoded


BOXES_INSIDE = [(0, 0, 24, 30), (4, 5, 20, 21), (0, 14, 16, 30), (8, 0, 24, 16)]
BOXES_OUTSIDE = [
    (0, 0, 25, 30),
    (0, 0, 24, 31),
    (-1, 0, 20, 20),
    (0, -1, 20, 20),
    (20, 0, 20, 20),
    (21, 0, 20, 20),
    (0, 20, 20, 20),
    (0, 25, 20, 20),
    (24, 30, 24, 30),
    (0, 0, 2**31, 2**31),
]


@pytest.mark.parametrize("box", BOXES_INSIDE)
def test_a_crop_box_inside_the_image_cuts_it(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    cropped = crop_image(Image.fromarray(GREY), CropBox(*box))
    np.testing.assert_array_equal(np.asarray(cropped), GREY[top:bottom, left:right])


@pytest.mark.parametrize("box", BOXES_OUTSIDE)
def test_an_empty_or_outside_crop_box_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(CropInvalid, match="24x30 image") as caught:
        crop_image(Image.fromarray(GREY), CropBox(*box))
    assert caught.value.field == "crop"


def test_a_crop_box_of_too_few_pixels_is_refused() -> None:
    """The cap on small images holds for the face, not for the picture around it."""
    with pytest.raises(ImageTooSmall, match="crop box is 15 x 20") as caught:
        crop_image(Image.fromarray(GREY), CropBox(0, 0, 15, 20))
    assert caught.value.field == "crop"
    assert crop_image(Image.fromarray(GREY), CropBox(0, 0, 15, 20), ImageLimits(min_side=15)).size == (15, 20)
