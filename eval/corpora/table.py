"""A CSV or Parquet table as rows of text, or an error that names the row and the column at fault."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from encode.errors import CorpusInvalid, CorpusMissing


def read_table(file: Path, required: Sequence[str], *, what: str = "table", place: str = "") -> list[Mapping[str, str]]:
    """Every row, column → cell, an empty one where Parquet has none; Parquet where the name ends so, else CSV.

    Parameters
    ----------
    required : columns that must be there, and in no row be blank.
    what : what errors call the file.
    place : what errors put in front of the row.

    Raises
    ------
    CorpusMissing if there is no such file; CorpusInvalid if it is no such table, `field` naming the row, numbered from
    1 below the header, and the column.
    """
    if not file.is_file():
        raise CorpusMissing(f"there is no {what} {file}", fix="check the path")
    columns, rows = _parquet(file) if file.suffix.lower() == ".parquet" else _csv(file, place)
    for column in required:
        if column not in columns:
            raise CorpusInvalid(
                "the column is missing", field=f"{place}{column}", fix=f"the {what} needs {', '.join(required)}"
            )
    for number, row in enumerate(rows, start=1):
        for column in required:
            if not row[column].strip():
                raise CorpusInvalid("the cell is empty", field=f"{place}row {number}: {column}")
    return rows


def _csv(file: Path, place: str) -> tuple[Sequence[str], list[Mapping[str, str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns, rows = reader.fieldnames or (), list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise CorpusInvalid("the file is not UTF-8 comma-separated text", field=file.name) from error
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise CorpusInvalid("the row has more or fewer cells than the header", field=f"{place}row {number}")
    return columns, list(rows)


def _parquet(file: Path) -> tuple[Sequence[str], list[Mapping[str, str]]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(file)
    except (ArrowException, OSError) as error:
        raise CorpusInvalid("the file is not a Parquet table", field=file.name) from error
    rows = [{column: "" if value is None else str(value) for column, value in row.items()} for row in table.to_pylist()]
    return table.column_names, list(rows)


def whole_number(value: str, field: str) -> int:
    """A cell as a number; Parquet writes a whole column as floats where one cell is empty. Raises CorpusInvalid."""
    try:
        number = float(value)
    except ValueError as error:
        raise CorpusInvalid(f"{value!r} is not a whole number", field=field) from error
    if not number.is_integer():
        raise CorpusInvalid(f"{value!r} is not a whole number", field=field)
    return int(number)
