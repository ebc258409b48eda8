"""No bytes whatsoever get anything but a SampleError out of decoding and preprocessing, and no warning either."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from encode.errors import SampleError
from encode.image import decode_image
from encode.preprocessing import Preprocessing
from fuzzing.pictures import with_right_checksums

Encoded = Callable[..., bytes]

PREPROCESSING = Preprocessing(
    [
        {"step": "colour", "mode": "RGB"},
        {"step": "fit", "aspect": 0.8},
        {"step": "equalize"},
        {"step": "resize", "height": 10, "width": 8},
        {"step": "scale", "per_image": True},
    ]
)

PNG = b"\x89PNG\r\n\x1a\n"
MAGIC = (
    PNG,
    b"\xff\xd8\xff\xe1",
    b"\xff\xd8\xff\xc0",
    b"BM",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"P5\n",
    b"P2 ",
)


def accept_or_refuse(data: bytes) -> bool:
    """Whether the image was accepted; any error but a SampleError passes through and fails the test."""
    try:
        image = decode_image(data)
    except SampleError:
        return False
    found = PREPROCESSING(image)
    assert found.shape == (3, 10, 8)
    assert np.isfinite(found).all()
    return True


@pytest.fixture(scope="module")
def valid(encoded: Encoded) -> tuple[bytes, ...]:
    """Small images of every accepted format and of the modes that need care."""
    draw = np.random.default_rng(0)
    grey = Image.fromarray(draw.integers(0, 256, (20, 18), dtype=np.uint8))
    colour = Image.fromarray(draw.integers(0, 256, (20, 18, 3), dtype=np.uint8))
    deep = Image.fromarray(draw.integers(0, 65536, (20, 18), dtype=np.uint16))
    palette = colour.quantize(16)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x8825: {1: "N", 2: (1.0, 2.0, 3.0)}})
    return (
        encoded(grey, "PNG", exif=exif),
        encoded(grey, "PNG", transparency=9),
        encoded(deep, "PNG"),
        encoded(palette, "PNG", transparency=bytes(range(16))),
        encoded(palette, "PNG", transparency=3),
        encoded(colour.convert("RGBA"), "PNG"),
        encoded(grey, "PNG", save_all=True, append_images=[grey.rotate(90)]),
        encoded(colour, "JPEG", exif=exif),
        encoded(colour, "JPEG", progressive=True),
        encoded(colour.convert("CMYK"), "JPEG"),
        encoded(colour, "MPO", save_all=True, append_images=[colour.rotate(90)]),
        encoded(colour, "BMP"),
        encoded(palette, "BMP"),
        encoded(colour, "WEBP", exif=exif),
        encoded(colour, "WEBP", save_all=True, append_images=[colour.rotate(90)]),
        encoded(grey, "PPM"),
        b"P5\n18 20\n65535\n" + bytes(720),
        b"P2\n18 20\n255\n" + b" 7" * 360,
    )


@given(st.sampled_from((b"", *MAGIC)), st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused_in_kind(magic: bytes, data: bytes) -> None:
    accept_or_refuse(magic + data)


@given(
    which=st.integers(0, 17),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["set", "cut", "insert", "end"]),
            st.one_of(st.integers(0, 120), st.integers(0, 3000)),
            st.one_of(st.sampled_from([0, 1, 127, 128, 255]), st.integers(0, 255)),
        ),
        min_size=1,
        max_size=8,
    ),
    repair=st.booleans(),
)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_images_are_refused_in_kind(
    valid: tuple[bytes, ...], which: int, edits: list[tuple[str, int, int]], repair: bool
) -> None:
    data = bytearray(valid[which])
    for edit, position, value in edits:
        place = position % (len(data) + 1)
        if edit == "set":
            data[place : place + 1] = bytes([value])
        elif edit == "cut":
            del data[place : place + 1 + value % 20]
        elif edit == "insert":
            data[place:place] = bytes([value]) * (1 + value % 5)
        elif len(data) > 40:
            del data[max(place, 40) :]
    accept_or_refuse(with_right_checksums(bytes(data)) if repair else bytes(data))


def test_undamaged_images_are_read(valid: tuple[bytes, ...]) -> None:
    """All but the two animations: the fuzzing above starts from images that decode."""
    assert sum(accept_or_refuse(with_right_checksums(data)) for data in valid) == len(valid) - 2
