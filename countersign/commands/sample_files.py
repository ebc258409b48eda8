"""Files named on a command line → samples: images as they are, stroke files parsed.

Strokes are told by the ending of the name, or by a format that is given for whatever is not an image by its name or its
first bytes. Anything else is sent as an image, so that the service says what is wrong with it.
"""

from collections.abc import Sequence
from pathlib import Path

from encode.errors import CropInvalid, SampleError
from encode.sample import IMAGE_SUFFIXES, CropBox, ImageSample, Sample
from encode.stroke_files import SUFFIXES, parse_strokes

_IMAGE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"P2", b"P5", b"BM", b"RIFF")


def read_sample_files(
    paths: Sequence[Path], *, crop: str | None = None, stroke_format: str | None = None
) -> list[Sample]:
    """One sample a file, in order; `crop` is ``left,top,right,bottom`` and holds for every image.

    Raises
    ------
    SampleError kinds : a stroke file does not parse, named by its path; nothing has been sent by then.
    CropInvalid : `crop` is no box, or there is no image to crop.
    """
    box = None if crop is None else CropBox.parse(crop)
    samples = [_read(path, box, stroke_format) for path in paths]
    if box is not None and not any(isinstance(sample, ImageSample) for sample in samples):
        raise CropInvalid("there is no image to crop", field="crop", fix="leave --crop out for strokes")
    return samples


def _read(path: Path, box: CropBox | None, stroke_format: str | None) -> Sample:
    data = path.read_bytes()
    suffix = path.suffix.lower()
    named_format = stroke_format is not None and suffix not in IMAGE_SUFFIXES and not data.startswith(_IMAGE_STARTS)
    if not (named_format or suffix in SUFFIXES):
        return ImageSample(data, crop=box)
    try:
        return parse_strokes(data, path.name, stroke_format)
    except SampleError as error:
        error.field = f"{path}, {error.field}" if error.field and error.field.startswith("line") else str(path)
        raise
