"""Encoded image bytes → an upright, single-frame PIL image, within caps set before anything is decoded.

The order of the checks is the defence: byte count, then header (format, frames, declared pixels), and only then the
pixels themselves, so that a 30,000 × 30,000 header or an animated file costs nothing.
"""

import io
import struct
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from encode.errors import (
    CropInvalid,
    ImageAnimated,
    ImageCorrupt,
    ImageFormatUnsupported,
    ImageTooManyPixels,
    ImageTooSmall,
    SampleEmpty,
    SampleTooLarge,
)
from encode.sample import CropBox

ACCEPTED_FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")
"""Pillow's names of the decoders we let it try; PPM covers PGM. Every other decoder stays out of reach."""

ACCEPTED_NAMES = "PNG, JPEG, PGM, BMP or WebP"

# What Pillow's decoders raise on bytes that are not what their header says.
_DECODE_FAILURES = (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError, KeyError, OverflowError)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Caps on one encoded image: bytes of the file, pixels declared by its header, pixels of its shorter side."""

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 40_000_000
    min_side: int = 16


DEFAULT_LIMITS = ImageLimits()


def decode_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """Decode one still image and turn it upright by its EXIF orientation.

    Parameters
    ----------
    data : the file's bytes.
    limits : caps, checked before pixels are decoded.

    Returns
    -------
    A loaded PIL image in the file's own mode, sides of at least `limits.min_side` pixels.

    Raises
    ------
    SampleEmpty, SampleTooLarge, ImageFormatUnsupported, ImageAnimated, ImageTooManyPixels, ImageTooSmall, ImageCorrupt,
    each with ``field="data"``.
    """
    if not data:
        raise SampleEmpty("the image has no bytes", field="data", fix="send the whole file's content")
    if len(data) > limits.max_bytes:
        raise SampleTooLarge(
            f"the image has {len(data):,} bytes, the limit is {limits.max_bytes:,}",
            field="data",
            fix="send a smaller or more strongly compressed image",
        )
    with warnings.catch_warnings():
        # Pillow warns of large images at a size of its own; the cap below is the one that counts.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = _open(data)
        _check_header(image, limits)
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
        except _DECODE_FAILURES as error:
            raise ImageCorrupt(
                "the image does not decode: it is truncated or damaged", field="data", fix="send the file again, whole"
            ) from error
    return upright


def crop_image(image: Image.Image, box: CropBox) -> Image.Image:
    """The part of an upright image inside `box`; raises CropInvalid unless the box lies within the image."""
    inside = 0 <= box.left < box.right <= image.width and 0 <= box.top < box.bottom <= image.height
    if not inside:
        raise CropInvalid(
            f"the crop box ({box.left}, {box.top})-({box.right}, {box.bottom}) is empty or leaves the "
            f"{image.width}x{image.height} image",
            field="crop",
            fix="give left < right <= width and top < bottom <= height, in pixels of the upright image",
        )
    return image.crop((box.left, box.top, box.right, box.bottom))


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=ACCEPTED_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooManyPixels(
            "the image's header declares more pixels than can be accepted", field="data", fix="send a smaller image"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageFormatUnsupported(
            f"the bytes are not an image in an accepted format ({ACCEPTED_NAMES})",
            field="data",
            fix=f"convert the image to {ACCEPTED_NAMES}",
        ) from error
    except _DECODE_FAILURES as error:
        raise ImageCorrupt("the image's header is damaged", field="data", fix="send the file again, whole") from error


def _check_header(image: Image.Image, limits: ImageLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooManyPixels(
            f"the image's header declares {width:,} x {height:,} pixels, the limit is {limits.max_pixels:,} in all",
            field="data",
            fix="scale the image down before sending it",
        )
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(
            f"the image is {width} x {height} pixels; each side needs at least {limits.min_side}",
            field="data",
            fix="send the face at a higher resolution",
        )
    try:
        frames = getattr(image, "n_frames", 1)
    except _DECODE_FAILURES as error:
        raise ImageCorrupt("the image's frame table is damaged", field="data", fix="send one still image") from error
    if frames != 1:
        raise ImageAnimated(f"the image has {frames} frames", field="data", fix="send one still image")
