"""Files of pen strokes → samples: the layouts of three public corpora, and a plain CSV and JSON for everybody else's.

Each format is a module of `encode.stroke_formats` that says what its columns mean. All of them give x to the right, y
up, and t in milliseconds from 0. Whether the strokes make a signature is for `encode.strokes` to say.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath

from encode.errors import FieldInvalid, SampleEmpty, SampleTooLarge, StrokesFileInvalid
from encode.sample import StrokesSample
from encode.stroke_formats.plain_csv import read_csv, write_csv
from encode.stroke_formats.plain_json import read_json, write_json
from encode.stroke_formats.sigcomp2009 import read_sigcomp2009
from encode.stroke_formats.susig import HEADER as SUSIG_HEADER
from encode.stroke_formats.susig import read_susig
from encode.stroke_formats.svc2004 import read_svc2004

FORMATS: Mapping[str, Callable[[str], StrokesSample]] = {
    "svc2004": read_svc2004,
    "susig": read_susig,
    "sigcomp2009": read_sigcomp2009,
    "csv": read_csv,
    "json": read_json,
}

SUFFIXES: Mapping[str, str] = {
    ".txt": "svc2004",
    ".sig": "susig",
    ".hwr": "sigcomp2009",
    ".csv": "csv",
    ".json": "json",
}
"""Ending of a file's name, in lower case → the format it is taken for where its content does not tell."""

MAX_BYTES = 4 * 1024 * 1024
"""Seven times the largest file of the corpora (0.54 MB, 17,358 points)."""


def parse_strokes(data: bytes, name: str = "", format: str | None = None) -> StrokesSample:
    """One stroke file as a sample.

    Parameters
    ----------
    data : the file's bytes, UTF-8 with or without a byte order mark.
    name : of the file; its ending decides where the content leaves the format open.
    format : one of `FORMATS`; by default told by the content, then by the name.

    Returns
    -------
    x, y in the device's unit, y up; t in ms from 0; pressure and pen_down where the file has them.

    Raises
    ------
    SampleEmpty, SampleTooLarge : by the bytes. StrokesFileInvalid : with the line at fault as its field.
    FieldInvalid : `format` is none of `FORMATS`.
    """
    if format is not None and format not in FORMATS:
        raise FieldInvalid("there is no stroke format of that name", field="format", fix=f"use {', '.join(FORMATS)}")
    if not data.strip():
        raise SampleEmpty("the file is empty", field="data", fix="send the whole file's content")
    if len(data) > MAX_BYTES:
        raise SampleTooLarge(
            f"the file has {len(data):,} bytes, the limit is {MAX_BYTES:,}", field="data", fix="send one signature"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StrokesFileInvalid("the file is not text", field=f"line {line}", fix="send a stroke file") from None
    return FORMATS[format or _told_by(text, name)](text)


def write_strokes_csv(sample: StrokesSample) -> bytes:
    """The sample as plain CSV; :func:`parse_strokes` gives the same sample back, its time from 0."""
    return write_csv(sample).encode()


def write_strokes_json(sample: StrokesSample) -> bytes:
    """The sample as plain JSON, likewise. Raises ValueError for a value that is not finite."""
    return write_json(sample).encode()


def _told_by(text: str, name: str) -> str:
    """The format by its first line; by the name where that is no format's; else StrokesFileInvalid."""
    first = next(iter(text.lstrip().splitlines()), "").strip()
    if first.startswith(("{", "[")):
        return "json"
    if first == SUSIG_HEADER:
        return "susig"
    if re.fullmatch("[0-9]+", first):
        return "svc2004"
    if re.fullmatch(r"[A-Z]+-[0-9]+_[0-9]+_[0-9]+\s+[0-9]+", first):
        return "sigcomp2009"
    if {"x", "y"} <= {word.strip(' "').lower() for word in first.split(",")}:
        return "csv"
    if (suffix := PurePath(name).suffix.lower()) in SUFFIXES:
        return SUFFIXES[suffix]
    raise StrokesFileInvalid(
        "the first line is that of no stroke format",
        field="line 1",
        fix="write a CSV with the header x,y,t,p,pen, or name the format",
    )
