"""Plain JSON: an object of equally long lists, or a list of points (`encode.stroke_formats.columns` has the names).

{"x": [635, 618], "y": [5541, 5431], "t": [0, 10], "p": [0.12, 0.35], "pen": [0, 1]}
[{"x": 635, "y": 5541, "t": 0, "p": 0.12, "pen": false}, {"x": 618, "y": 5431, "t": 10, "p": 0.35, "pen": true}]
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from encode.errors import StrokesFileInvalid
from encode.sample import StrokesSample
from encode.stroke_formats.columns import from_sample, resolve, to_sample
from encode.stroke_formats.lines import invalid


def read_json(text: str) -> StrokesSample:
    """Raises StrokesFileInvalid with the line, or the place in the data, that is at fault."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        raise invalid(error.lineno, "the text is not JSON") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits; lists in lists in lists
        raise invalid(1, "the text is not JSON that a signature needs") from None
    if isinstance(data, list):
        return to_sample(_points(data))
    if not isinstance(data, _Object):
        raise invalid(1, "the text is neither an object of lists nor a list of points")
    columns = resolve(data.names, "line 1")
    lists = zip(columns, data.names, data.values, strict=True)
    return to_sample({column: _list(values, column, name) for column, name, values in lists if column})


def write_json(sample: StrokesSample) -> str:
    """The text that `read_json` reads back, an object of lists; pressure and pen only where the sample has them."""
    return json.dumps(from_sample(sample), allow_nan=False) + "\n"


class _Object:
    """A JSON object with every pair it holds: a plain dict would keep the last of two equal names unnoticed."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.names = [name for name, _ in pairs]
        self.values = [value for _, value in pairs]


def _points(points: list[Any]) -> dict[str, list[float]]:
    if not points:
        return {"x": [], "y": [], "t": []}
    columns: list[str] = []
    values: list[list[float]] = []
    for index, point in enumerate(points):
        where = f"[{index}]"
        if not isinstance(point, _Object):
            raise _at(where, "the point is not an object")
        if not columns:
            first, columns = point, resolve(point.names, where)
            values = [[] for _ in columns]
        if point.names != first.names:
            raise _at(where, "the point has other names, or in another order, than the first")
        for column, name, value, found in zip(columns, point.names, point.values, values, strict=True):
            if column:
                found.append(_number(value, column, f"{where}.{name}"))
    return {column: found for column, found in zip(columns, values, strict=True) if column}


def _list(values: Any, column: str, name: str) -> list[float]:
    if not isinstance(values, list):
        raise _at(name, "the column is not a list")
    return [_number(value, column, f"{name}[{index}]") for index, value in enumerate(values)]


def _number(value: Any, column: str, where: str) -> float:
    """Booleans are numbers where they mean the pen, and only there."""
    if column == "pen":
        if isinstance(value, bool | int | float) and value in (0, 1):
            return float(value)
        raise _at(where, "the pen is none of 0, 1, true and false")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _at(where, "the value is not a number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise _at(where, "the value is not a finite number")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _at(where: str, message: str) -> StrokesFileInvalid:
    return StrokesFileInvalid(message, field=where, fix='write {"x": [...], "y": [...], "t": [...]}, t in milliseconds')
