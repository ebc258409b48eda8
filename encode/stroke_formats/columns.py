"""The columns of the two plain formats, CSV and JSON: what they are called and what they become.

    x, y              to the right and up, in any unit
    t   or t_ms       milliseconds since any instant
    p   or pressure   optional: linear, >= 0, in any unit
    pen or pen_down   optional: 1 or true where the pen touches; 0 or false where it hovers, and at the first point of
                      each stroke where the device records touching points alone

`azimuth` and `altitude` may be there and are left out. Any other name is refused: a misspelt column would be lost
unnoticed.
"""

from collections.abc import Iterable, Mapping, Sequence

from encode.errors import StrokesFileInvalid
from encode.sample import StrokesSample
from encode.stroke_formats.lines import from_start

NAMES = {
    "x": "x",
    "y": "y",
    "t": "t",
    "t_ms": "t",
    "p": "p",
    "pressure": "p",
    "pen": "pen",
    "pen_down": "pen",
    "azimuth": "",
    "altitude": "",
}
"""Name in a file, in lower case → column, or nothing for what is left out."""

REQUIRED = ("x", "y", "t")


def resolve(names: Iterable[object], field: str) -> list[str]:
    """The column of each name. Raises StrokesFileInvalid at `field` for one unknown, missing or there twice."""
    found = [NAMES.get(name.strip().lower()) if isinstance(name, str) else None for name in names]
    fix = "name the columns x, y, t (milliseconds) and optionally p (pressure) and pen (1 where it touches)"
    known = [column for column in found if column is not None]
    if len(known) < len(found):
        raise StrokesFileInvalid("a column has a name that is not known", field=field, fix=fix)
    for column in ("x", "y", "t", "p", "pen"):
        if known.count(column) > 1:
            raise StrokesFileInvalid(f"the column {column!r} is there twice", field=field, fix=fix)
    for column in REQUIRED:
        if column not in known:
            raise StrokesFileInvalid(f"the column {column!r} is missing", field=field, fix=fix)
    return known


def to_sample(columns: Mapping[str, Sequence[float]]) -> StrokesSample:
    """Finite numbers by column → the sample. What they hold is for `encode.strokes` to check."""
    return StrokesSample(
        x=tuple(columns["x"]),
        y=tuple(columns["y"]),
        t=from_start(columns["t"]),
        pressure=tuple(columns.get("p", ())),
        pen_down=tuple(value != 0 for value in columns.get("pen", ())),
    )


def from_sample(sample: StrokesSample) -> dict[str, list[float]]:
    """The columns that the sample has, whole numbers as integers: they read back as the same floats."""
    columns: dict[str, Sequence[float]] = {"x": sample.x, "y": sample.y, "t": sample.t}
    if len(sample.pressure):
        columns["p"] = sample.pressure
    if len(sample.pen_down):
        columns["pen"] = sample.pen_down
    return {name: [_shortest(value) for value in values] for name, values in columns.items()}


def _shortest(value: float) -> float:
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
