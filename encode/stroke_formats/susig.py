"""SUSIG, the visual and the blind subcorpus (Kholmatov & Yanikoglu 2009): `.sig`.

    X, Y, TStamp, Pres., EndPts
    DataSize: 174
    13156 12408 0 10 0                         x  y  t  pressure  endpt

t in ms, y points up; pressure reaches 255 (visual) or 1,023 (blind). endpt 1 marks the last point of a stroke, so the
point after it is the first of the next. Where the pressure is 0 (in 182 of 4,760 files) the pen does not touch. Time
stamps that step back or run over are left as they are, for `encode.pen_clock` to repair.
"""

from encode.sample import StrokesSample
from encode.stroke_formats.lines import check_count, from_start, invalid, read_count, read_rows, split_lines

HEADER = "X, Y, TStamp, Pres., EndPts"


def read_susig(text: str) -> StrokesSample:
    """Either subcorpus. Raises StrokesFileInvalid with the line at fault."""
    lines = split_lines(text)
    if not lines or lines[0][1].strip() != HEADER:
        raise invalid(lines[0][0] if lines else 1, f"the header is not {HEADER!r}")
    header, second = lines[1] if len(lines) > 1 else (lines[0][0] + 1, "")
    name, _, size = second.partition(":")
    declared = read_count(size.strip() if name.strip() == "DataSize" else "", header)
    check_count(lines[2:], declared, header)
    rows = read_rows(lines[2:], (5,), "x, y, t, pressure, endpt")
    for (number, _), row in zip(lines[2:], rows, strict=True):
        if row[3] < 0:
            raise invalid(number, "the pressure is negative")
    ended = [True, *(row[4] != 0 for row in rows[:-1])]
    return StrokesSample(
        x=tuple(row[0] for row in rows),
        y=tuple(row[1] for row in rows),
        t=from_start([row[2] for row in rows]),
        pressure=tuple(row[3] for row in rows),
        pen_down=tuple(row[3] > 0 and not first for row, first in zip(rows, ended, strict=False)),
    )
