"""What a person hands in: one encoded image, or (with a signature model) one list of pen strokes."""

from dataclasses import dataclass
from enum import StrEnum

from encode.errors import CropInvalid

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".bmp", ".webp"})
"""How the names of image files end, in lower case; those of stroke files are in `encode.stroke_files`."""


class Modality(StrEnum):
    """The trait a sample shows and a model reads."""

    FACE = "face"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class CropBox:
    """Where the face is: pixels of the upright image, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def parse(cls, text: str) -> "CropBox":
        """`left,top,right,bottom` → box. Raises CropInvalid for anything but four whole numbers."""
        numbers = [number.strip() for number in text.split(",")]
        if len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
            raise CropInvalid(f"{text!r} is not a crop box", field="crop", fix="write left,top,right,bottom in pixels")
        return cls(*(int(number) for number in numbers))


@dataclass(frozen=True, slots=True)
class ImageSample:
    """One encoded image. `data` holds the file's bytes (PNG, JPEG, PGM, BMP or WebP); `crop` is optional.

    The repr leaves the bytes out, so that a sample can never reach a log through a format string.
    """

    data: bytes
    crop: CropBox | None = None
    modality: Modality = Modality.FACE

    def __repr__(self) -> str:
        return f"ImageSample(modality={self.modality.value}, bytes={len(self.data)})"


@dataclass(frozen=True, slots=True)
class StrokesSample:
    """One pen trajectory: equally long sequences in the order of writing, as the device recorded them.

    `x` to the right and `y` up, in any unit; `t` in milliseconds since any instant. `pressure` is linear and >= 0, in
    any unit, and empty where it is not measured. `pen_down` is False at points recorded while the pen hovers, and at
    the first point of each stroke where the device records touching points alone; empty, it follows from pressure, or
    the pen touches everywhere. :func:`encode.strokes.read_strokes` checks all of it.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    t: tuple[float, ...]
    pressure: tuple[float, ...] = ()
    pen_down: tuple[bool, ...] = ()
    modality: Modality = Modality.SIGNATURE

    def __repr__(self) -> str:
        return f"StrokesSample(modality={self.modality.value}, points={len(self.x)})"


Sample = ImageSample | StrokesSample
