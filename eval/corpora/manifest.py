"""`manifest:FILE`: a CSV or Parquet table, one row a sample.

Columns `path,person,modality,kind` and optional `session,order,split`, `crop_left,crop_top,crop_right,crop_bottom`
(pixels of the upright image) and any `group_*` columns. Paths are relative to the manifest's folder. `kind` is
`genuine` or `forgery`; a forgery's `person` is the person it imitates. A signature's file holds strokes where its name
ends in .csv, .json, .txt, .sig or .hwr (`encode.stroke_files`), and an image otherwise.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from encode.errors import CorpusInvalid, CorpusMissing
from encode.sample import CropBox, Modality
from eval.corpora.corpus import Corpus, Kind, Row, load_image
from eval.corpora.strokes import has_stroke_suffix, load_strokes

REQUIRED = ("path", "person", "modality", "kind")
OPTIONAL = ("session", "order", "split", "crop_left", "crop_top", "crop_right", "crop_bottom")


def read_manifest(file: Path, *, name: str) -> Corpus:
    """Read a manifest. Raises CorpusMissing or CorpusInvalid with the row (numbered from 1) and the column at fault."""
    if not file.is_file():
        raise CorpusMissing(f"there is no manifest {file}", fix="check the path after the colon")
    records = list(_parquet(file) if file.suffix.lower() == ".parquet" else _csv(file))
    return Corpus(name, [_row(file.parent, number, record) for number, record in enumerate(records, start=1)])


def _csv(file: Path) -> Iterator[Mapping[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_columns(reader.fieldnames or ())
            for number, record in enumerate(reader, start=1):
                if None in record or None in record.values():
                    raise CorpusInvalid("the row has more or fewer cells than the header", field=f"row {number}")
                yield record
    except (csv.Error, UnicodeDecodeError) as error:
        raise CorpusInvalid("the file is not UTF-8 comma-separated text", field=file.name) from error


def _parquet(file: Path) -> Iterator[Mapping[str, str]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(file)
    except (ArrowException, OSError) as error:
        raise CorpusInvalid("the file is not a Parquet table", field=file.name) from error
    _check_columns(table.column_names)
    for record in table.to_pylist():
        yield {column: "" if value is None else str(value) for column, value in record.items()}


def _check_columns(columns: object) -> None:
    found = set(columns) if isinstance(columns, list | tuple) else set()
    for column in REQUIRED:
        if column not in found:
            raise CorpusInvalid("the column is missing", field=column, fix=f"a manifest needs {', '.join(REQUIRED)}")


def _row(root: Path, number: int, record: Mapping[str, str]) -> Row:
    for column in REQUIRED:
        if not record[column].strip():
            raise CorpusInvalid("the cell is empty", field=f"row {number}: {column}")
    path, modality, kind = (record[column].strip() for column in ("path", "modality", "kind"))
    if modality not in set(Modality):
        raise CorpusInvalid(
            f"{modality!r} is not a modality", field=f"row {number}: modality", fix="use face or signature"
        )
    if kind not in get_args(Kind):
        raise CorpusInvalid(f"{kind!r} is not a kind", field=f"row {number}: kind", fix="use genuine or forgery")
    order = record.get("order") or ""
    strokes = modality == Modality.SIGNATURE and has_stroke_suffix(Path(path))
    return Row(
        id=path,
        path=root / path,
        person=record["person"].strip(),
        modality=Modality(modality),
        kind="genuine" if kind == "genuine" else "forgery",
        session=record.get("session") or None,
        order=_integer(order, f"row {number}: order") if order else None,
        split=record.get("split") or None,
        crop=_crop(number, record),
        groups={column: value for column, value in record.items() if column.startswith("group_")},
        loader=load_strokes if strokes else load_image,
    )


def _crop(number: int, record: Mapping[str, str]) -> CropBox | None:
    sides = [record.get(f"crop_{side}") or "" for side in ("left", "top", "right", "bottom")]
    if not any(sides):
        return None
    return CropBox(*(_integer(value, f"row {number}: crop") for value in sides))


def _integer(value: str, field: str) -> int:
    try:
        number = float(value)  # Parquet writes a whole column as floats where one cell is empty
    except ValueError as error:
        raise CorpusInvalid(f"{value!r} is not a whole number", field=field) from error
    if not number.is_integer():
        raise CorpusInvalid(f"{value!r} is not a whole number", field=field)
    return int(number)
