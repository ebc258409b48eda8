"""What the text formats share: lines of numbers, and the error that names the line at fault.

Messages say where and what was expected, never what the file holds: it is somebody's signature.
"""

import math
from collections.abc import Sequence

from encode.errors import StrokesFileInvalid

Lines = Sequence[tuple[int, str]]
"""Line number from 1, and the line; blank lines left out."""


def split_lines(text: str) -> Lines:
    """The lines of `text` that are not blank, with their numbers. Unix, Windows and old Macintosh ends all do."""
    return [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def read_rows(lines: Lines, columns: Sequence[int], expected: str) -> list[list[float]]:
    """Lines of numbers between blanks, each of as many as one of `columns` says and all of the same number.

    Raises StrokesFileInvalid with the line; `expected` names the columns in words.
    """
    rows: list[list[float]] = []
    for number, line in lines:
        cells = line.split()
        if len(cells) not in columns or (rows and len(cells) != len(rows[0])):
            raise invalid(number, f"{len(cells)} columns where {expected} are expected")
        rows.append([read_number(cell, number) for cell in cells])
    return rows


def read_number(cell: str, line: int) -> float:
    """One finite number, or StrokesFileInvalid."""
    try:
        # float() takes more than files should hold: 1_0 for ten, and digits of every script.
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        raise invalid(line, "a cell is not a number") from None
    if not math.isfinite(value):
        raise invalid(line, "a cell is not a finite number")
    return value


def check_count(lines: Lines, declared: int, header: int) -> None:
    """Raise StrokesFileInvalid unless there are as many points as the line `header` says: the file may be cut short."""
    if len(lines) != declared:
        raise invalid(header, f"the header declares {declared:,} points, the file holds {len(lines):,}")


def read_count(cell: str, line: int) -> int:
    """The number of points that a header declares, a whole number >= 0."""
    if not (cell.isascii() and cell.isdigit() and len(cell) < 10):
        raise invalid(line, "the header does not declare a number of points")
    return int(cell)


def from_start(stamps: Sequence[float]) -> tuple[float, ...]:
    """The stamps less the first: a float32, which the wire carries, could not hold a tablet's running clock."""
    return tuple(stamp - stamps[0] for stamp in stamps)


def invalid(line: int, message: str) -> StrokesFileInvalid:
    return StrokesFileInvalid(message, field=f"line {line}", fix="send the file as the device or the corpus wrote it")
