"""SigComp2009, the ICDAR 2009 signature competition (NFI), the main and the training set: `.hwr`.

    ABCDE-012_345_678 310                      an id of no meaning, number of points
         7347 19420    35  1610   480          x  y  pressure  azimuth  altitude

200 points a second without a time column, so the i-th is at 5 i ms; y points up. The tablet also follows the hovering
pen, with a pressure of 0 or below: hover before the first and after the last touching point is cut off, inside it is
kept as hover with pressure 0. Points at (0, 0) without pressure are of a pen too far off for a position, and dropped;
their time passes. Azimuth and altitude, garbage in 237 files, are left out.
"""

from encode.sample import StrokesSample
from encode.stroke_formats.lines import check_count, from_start, invalid, read_count, read_rows, split_lines

STEP_MS = 5.0


def read_sigcomp2009(text: str) -> StrokesSample:
    """Either set. A pen that never touches is left to `encode.strokes`. Raises StrokesFileInvalid with the line."""
    lines = split_lines(text)
    header, first = lines[0] if lines else (1, "")
    words = first.split()
    if len(words) != 2:
        raise invalid(header, "the header is not an id and a number of points")
    check_count(lines[1:], read_count(words[1], header), header)
    rows = read_rows(lines[1:], (5,), "x, y, pressure, azimuth, altitude")
    touching = [index for index, row in enumerate(rows) if row[2] > 0]
    first_kept, last_kept = (touching[0], touching[-1]) if touching else (0, len(rows) - 1)
    kept = [
        (index, row)
        for index, row in enumerate(rows)
        if first_kept <= index <= last_kept and (row[2] > 0 or row[0] != 0 or row[1] != 0)
    ]
    return StrokesSample(
        x=tuple(row[0] for _, row in kept),
        y=tuple(row[1] for _, row in kept),
        t=from_start([STEP_MS * index for index, _ in kept]),
        pressure=tuple(max(row[2], 0.0) for _, row in kept),
        pen_down=tuple(row[2] > 0 for _, row in kept),
    )
