"""Plain CSV: a header that names the columns (`encode.stroke_formats.columns`), then a line a point.

x,y,t,p,pen
635,5541,0,0.12,0
618,5431,10,0.35,1
"""

import csv

from encode.errors import StrokesFileInvalid
from encode.sample import StrokesSample
from encode.stroke_formats.columns import from_sample, resolve, to_sample
from encode.stroke_formats.lines import invalid, read_number

_PEN = {"1": 1.0, "1.0": 1.0, "true": 1.0, "0": 0.0, "0.0": 0.0, "false": 0.0}


def read_csv(text: str) -> StrokesSample:
    """Raises StrokesFileInvalid with the line at fault."""
    reader = csv.reader(text.splitlines(), strict=True, skipinitialspace=True)
    columns: list[str] = []
    values: list[list[float]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = resolve(cells, f"line {reader.line_num}")
                values = [[] for _ in columns]
                continue
            if len(cells) != len(columns):
                raise invalid(reader.line_num, f"{len(cells)} cells under a header of {len(columns)}")
            for column, cell, found in zip(columns, cells, values, strict=True):
                if column:
                    found.append(_read(column, cell.strip(), reader.line_num))
    except csv.Error:
        raise invalid(reader.line_num, "the line is not comma-separated text") from None
    if not columns:
        raise StrokesFileInvalid("there is no header", field="line 1", fix="begin with x,y,t,p,pen")
    return to_sample(dict(zip(columns, values, strict=True)))


def write_csv(sample: StrokesSample) -> str:
    """The text that `read_csv` reads back; pressure and pen only where the sample has them."""
    columns = from_sample(sample)
    lines = [",".join(map(repr, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join([",".join(columns), *lines, ""])


def _read(column: str, cell: str, line: int) -> float:
    if column != "pen":
        return read_number(cell, line)
    try:
        return _PEN[cell.lower()]
    except KeyError:
        raise invalid(line, "pen is none of 0, 1, true and false") from None
