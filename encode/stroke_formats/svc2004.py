"""SVC2004, the First International Signature Verification Competition (Yeung et al. 2004): `U{u}S{s}.TXT`.

    148                                        number of points
    635 5541 31077710 0                        x  y  t  button
    618 5431 31077720 1 [1480 520 310]         and in Task 2: azimuth  altitude  pressure

t is the tablet's clock in ms, y points up. The tablet recorded touching points alone. Button 0 marks the first point
after the pen was lifted, any other value (1 to 5 occur) a touching pen. Azimuth and altitude are left out.
"""

from encode.sample import StrokesSample
from encode.stroke_formats.lines import check_count, from_start, invalid, read_count, read_rows, split_lines


def read_svc2004(text: str) -> StrokesSample:
    """Either task. Raises StrokesFileInvalid with the line at fault."""
    lines = split_lines(text)
    header, first = lines[0] if lines else (1, "")
    declared = read_count(first.strip(), header)
    check_count(lines[1:], declared, header)
    rows = read_rows(lines[1:], (4, 7), "x, y, t, button (Task 2: and azimuth, altitude, pressure)")
    pressed = bool(rows) and len(rows[0]) == 7
    for (number, _), row in zip(lines[1:], rows, strict=True):
        if pressed and row[6] < 0:
            raise invalid(number, "the pressure is negative")
    return StrokesSample(
        x=tuple(row[0] for row in rows),
        y=tuple(row[1] for row in rows),
        t=from_start([row[2] for row in rows]),
        pressure=tuple(row[6] for row in rows) if pressed else (),
        pen_down=tuple(row[3] > 0 for row in rows),
    )
