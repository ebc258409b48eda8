"""`manifest:FILE`: a CSV or Parquet table, one row a sample.

Columns `path,person,modality,kind` and optional `session,order,split`, `crop_left,crop_top,crop_right,crop_bottom`
(pixels of the upright image) and any `group_*` columns. Paths are relative to the manifest's folder. `kind` is
`genuine` or `forgery`; a forgery's `person` is the person it imitates. A signature's file holds strokes where its name
ends in .csv, .json, .txt, .sig or .hwr (`encode.stroke_files`), and an image otherwise.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from encode.errors import CorpusInvalid
from encode.sample import CropBox, Modality
from eval.corpora.corpus import Corpus, Kind, Row, load_image
from eval.corpora.strokes import has_stroke_suffix, load_strokes
from eval.corpora.table import read_table, whole_number

REQUIRED = ("path", "person", "modality", "kind")
OPTIONAL = ("session", "order", "split", "crop_left", "crop_top", "crop_right", "crop_bottom")


def read_manifest(file: Path, *, name: str) -> Corpus:
    """Read a manifest. Raises CorpusMissing or CorpusInvalid with the row (numbered from 1) and the column at fault."""
    records = read_table(file, REQUIRED, what="manifest")
    return Corpus(name, [read_row(file.parent, number, record) for number, record in enumerate(records, start=1)])


def read_row(root: Path, number: int, record: Mapping[str, str]) -> Row:
    """The sample that a row of a manifest names. Raises CorpusInvalid with the row's number and the column."""
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
        order=whole_number(order, f"row {number}: order") if order else None,
        split=(record.get("split") or "").strip() or None,
        crop=_crop(number, record),
        groups={column: value for column, value in record.items() if column.startswith("group_")},
        loader=load_strokes if strokes else load_image,
    )


def _crop(number: int, record: Mapping[str, str]) -> CropBox | None:
    sides = [record.get(f"crop_{side}") or "" for side in ("left", "top", "right", "bottom")]
    if not any(sides):
        return None
    return CropBox(*(whole_number(value, f"row {number}: crop") for value in sides))
