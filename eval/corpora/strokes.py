"""Rows whose file holds pen strokes: how they are told, and how they are loaded."""

import re
from pathlib import Path

from encode.sample import Sample
from encode.stroke_files import SUFFIXES, parse_strokes
from eval.corpora.corpus import Row

SVC2004_NAME = re.compile(r"U(\d+)S(\d+)\.TXT", re.IGNORECASE)
"""Writer and sample in a file's name."""


def load_strokes(row: Row, format: str | None = None) -> Sample:
    """Read and parse the row's file. Raises OSError, and what `encode.stroke_files.parse_strokes` raises."""
    return parse_strokes(row.path.read_bytes(), row.path.name, format)


def has_stroke_suffix(path: Path) -> bool:
    """Whether the name ends as that of a stroke file: .csv, .json, .sig, .hwr or .txt."""
    return path.suffix.lower() in SUFFIXES


def is_stroke_file(path: Path) -> bool:
    """Likewise, but of text files only those named as SVC2004's are: any other is a note beside the samples."""
    if path.suffix.lower() == ".txt":
        return SVC2004_NAME.fullmatch(path.name) is not None
    return has_stroke_suffix(path)
