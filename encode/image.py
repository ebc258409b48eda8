"""Encoded image bytes → an upright, single-frame PIL image, within caps set before anything is decoded.

The order of the checks is the defence: byte count, then header (format, frames, declared pixels), and only then the
pixels themselves, so that a 30,000 × 30,000 header or an animated file costs nothing.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
    SampleError,
    SampleTooLarge,
)
from encode.sample import CropBox

ACCEPTED_FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")
"""Pillow's names of the decoders we let it try; PPM covers PGM. Every other decoder stays out of reach."""

ACCEPTED_NAMES = "PNG, JPEG, PGM, BMP or WebP"


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
        # Pillow warns of large images at a size of its own, where the cap below is the one that counts, and of metadata
        # that it skips.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        with _damage("the image's header is damaged"):
            image = _open(data)
            _check_header(image, limits)
        with _damage("the image does not decode: it is truncated or damaged"):
            image.load()
            upright = ImageOps.exif_transpose(image)
    return upright


def crop_image(image: Image.Image, box: CropBox, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """The part of an upright image inside `box`; raises as :func:`check_crop`."""
    check_crop(image, box, limits)
    return image.crop((box.left, box.top, box.right, box.bottom))


def check_crop(image: Image.Image, box: CropBox, limits: ImageLimits = DEFAULT_LIMITS) -> None:
    """Raise CropInvalid unless `box` lies within the upright image, ImageTooSmall if it holds too few pixels."""
    inside = 0 <= box.left < box.right <= image.width and 0 <= box.top < box.bottom <= image.height
    if not inside:
        raise CropInvalid(
            f"the crop box ({box.left}, {box.top})-({box.right}, {box.bottom}) is empty or leaves the "
            f"{image.width}x{image.height} image",
            field="crop",
            fix="give left < right <= width and top < bottom <= height, in pixels of the upright image",
        )
    width, height = box.right - box.left, box.bottom - box.top
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(
            f"the crop box is {width} x {height} pixels; each side needs at least {limits.min_side}",
            field="crop",
            fix="send the face at a higher resolution",
        )


@contextmanager
def _damage(message: str) -> Iterator[None]:
    """Whatever Pillow raises inside is ImageCorrupt: its parsers let through TypeError, struct.error and many more."""
    try:
        yield
    except (SampleError, MemoryError):
        raise
    except Exception as error:
        raise ImageCorrupt(message, field="data", fix="send the file again, whole") from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=ACCEPTED_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooManyPixels(
            "the image's header declares more pixels than can be accepted", field="data", fix="send a smaller image"
        ) from error
    except UnidentifiedImageError as error:
        if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP"):
            raise  # an accepted format by its first bytes: what follows them is damaged
        raise _unsupported() from error


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
    if image.mode == "F":
        # Portable float maps come with the PPM decoder; their scale is anyone's guess.
        raise _unsupported()
    # A phone's JPEG may carry a depth map or a preview behind the photograph (MPO); the first frame is the photograph.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageAnimated(f"the image has {frames} frames", field="data", fix="send one still image")


def _unsupported() -> ImageFormatUnsupported:
    return ImageFormatUnsupported(
        f"the bytes are not an image in an accepted format ({ACCEPTED_NAMES})",
        field="data",
        fix=f"convert the image to {ACCEPTED_NAMES}",
    )
