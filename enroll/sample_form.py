"""The stored form of a sample that a collection keeps: what the caller sent, so that another model can read it anew.

``b"CSSM"``, format byte, header length (uint32), header (canonical JSON), content. Of an image (format 1) the content
is the bytes of the file; the header holds modality and crop box. Of strokes (format 2) it is x, y, t, pressure as
little-endian float64 and pen_down as a byte each; the header holds how many of each. No pickle; lossless.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from encode.errors import StoreCorrupt
from encode.manifest import canonical_json
from encode.sample import CropBox, ImageSample, Modality, Sample, StrokesSample

_MAGIC = b"CSSM"
_IMAGE, _STROKES = 1, 2
_PREFIX = struct.Struct("<4sBI")
_SERIES = ("x", "y", "t", "pressure")


def sample_to_bytes(sample: Sample) -> bytes:
    """The stored form; the same for equal samples."""
    header: dict[str, object] = {"modality": sample.modality.value}
    if isinstance(sample, ImageSample):
        box = sample.crop
        header["crop"] = None if box is None else [box.left, box.top, box.right, box.bottom]
        layout, content = _IMAGE, sample.data
    else:
        series = [np.array(getattr(sample, name), "<f8") for name in _SERIES]
        pen_down = np.array(sample.pen_down, np.bool_)
        header |= {name: len(values) for name, values in zip(_SERIES, series, strict=True)}
        header["pen_down"] = len(pen_down)
        layout, content = _STROKES, b"".join([*(values.tobytes() for values in series), pen_down.tobytes()])
    told = canonical_json(header)
    return _PREFIX.pack(_MAGIC, layout, len(told)) + told + content


def sample_from_bytes(data: bytes) -> Sample:
    """Read the stored form. Raises StoreCorrupt for bytes that are none."""
    try:
        magic, layout, length = _PREFIX.unpack_from(data)
        if magic != _MAGIC or layout not in (_IMAGE, _STROKES):
            raise ValueError("none of the formats")
        header = json.loads(data[_PREFIX.size : _PREFIX.size + length])
        content = data[_PREFIX.size + length :]
        return _image(header, content) if layout == _IMAGE else _strokes(header, content)
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreCorrupt("a kept sample does not decode", fix="enroll the person again") from error


def _image(header: Mapping[str, Any], content: bytes) -> ImageSample:
    crop = header["crop"]
    if crop is not None and not (isinstance(crop, list) and len(crop) == 4 and all(type(one) is int for one in crop)):
        raise ValueError("no crop box")
    return ImageSample(content, None if crop is None else CropBox(*crop), Modality(header["modality"]))


def _strokes(header: Mapping[str, Any], content: bytes) -> StrokesSample:
    series, start = {}, 0
    for name in (*_SERIES, "pen_down"):
        count, kind = header[name], np.dtype(np.bool_ if name == "pen_down" else "<f8")
        if type(count) is not int or count < 0:
            raise ValueError("no number of points")
        end = start + count * kind.itemsize
        series[name] = tuple(np.frombuffer(content[start:end], kind, count).tolist())
        start = end
    if start != len(content):
        raise ValueError("more content than points")
    return StrokesSample(**series, modality=Modality(header["modality"]))
