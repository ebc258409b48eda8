"""A table of samples, as CSV or Parquet: read whole, or refused with the row and the column at fault."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from encode.errors import CorpusInvalid, CorpusMissing
from encode.sample import CropBox, ImageSample, Modality, StrokesSample
from encode.stroke_files import write_strokes_csv
from eval.corpora.manifest import read_manifest

HEADER = "path,person,modality,kind"


def write(folder: Path, text: str, name: str = "people.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_row_is_a_sample(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    text = (
        "path,person,modality,kind,session,order,split,crop_left,crop_top,crop_right,crop_bottom,group_sex,group_age,note\n"
        "a/1.png,anna,face,genuine,monday,3,test,1,2,19,20,f,30-40,x\n"
        " b.png ,  anna , signature , forgery ,,,,,,,,,,\n"
    )
    first, second = sorted(
        read_manifest(write(tmp_path, text), name="people").rows, key=lambda row: row.kind == "forgery"
    )
    assert (first.id, first.person, first.modality, first.kind) == ("a/1.png", "anna", Modality.FACE, "genuine")
    assert (first.session, first.order, first.split) == ("monday", 3, "test")
    assert first.crop == CropBox(1, 2, 19, 20)
    assert first.groups == {"group_sex": "f", "group_age": "30-40"}
    assert first.path == tmp_path / "a" / "1.png"
    assert (second.id, second.path) == ("b.png", tmp_path / "b.png")
    assert (second.person, second.modality, second.kind) == ("anna", Modality.SIGNATURE, "forgery")
    assert (second.session, second.order, second.split, second.crop) == (None, None, None, None)
    (tmp_path / "a").mkdir()
    first.path.write_bytes(picture())
    assert first.load() == ImageSample(picture(), crop=CropBox(1, 2, 19, 20))


def test_the_ending_of_a_signatures_file_says_whether_it_holds_strokes(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    strokes = StrokesSample(x=(1.0, 2.0), y=(3.0, 4.0), t=(0.0, 10.0))
    (tmp_path / "1.csv").write_bytes(write_strokes_csv(strokes))
    (tmp_path / "2.txt").write_bytes(write_strokes_csv(strokes))
    for name in ("3.png", "4.csv"):
        (tmp_path / name).write_bytes(picture())
    file = write(
        tmp_path,
        f"{HEADER}\n1.csv,anna,signature,genuine\n2.txt,anna,signature,forgery\n"
        "3.png,anna,signature,genuine\n4.csv,anna,face,genuine\n",
    )
    assert [row.load() for row in read_manifest(file, name="x").rows] == [
        strokes,
        strokes,
        ImageSample(picture(), modality=Modality.SIGNATURE),
        ImageSample(picture()),
    ]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "bom.csv").write_bytes(
        b"\xef\xbb\xbf" + f"{HEADER}\r\n1.png,ann\xc3\xa9,face,genuine\r\n".encode("latin-1")
    )
    assert read_manifest(tmp_path / "bom.csv", name="x").people == ("anné",)


def test_quoted_cells_and_empty_lines_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, f'{HEADER}\n\n"a, b.png","Smith, Anna",face,genuine\n\n')
    corpus = read_manifest(file, name="x")
    assert (corpus.rows[0].id, corpus.people) == ("a, b.png", ("Smith, Anna",))


BAD: dict[str, tuple[str, str, str]] = {
    "no person column": ("path,modality,kind\n1.png,face,genuine\n", "column is missing", "person"),
    "no columns at all": ("", "column is missing", "path"),
    "too few cells": (f"{HEADER}\n1.png,anna,face,genuine\n2.png,anna,face\n", "more or fewer cells", "row 2"),
    "too many cells": (f"{HEADER}\n1.png,anna,face,genuine,x\n", "more or fewer cells", "row 1"),
    "no path": (f"{HEADER}\n,anna,face,genuine\n", "cell is empty", "row 1: path"),
    "blank person": (f"{HEADER}\n1.png,  ,face,genuine\n", "cell is empty", "row 1: person"),
    "unknown modality": (f"{HEADER}\n1.png,anna,voice,genuine\n", "'voice' is not a modality", "row 1: modality"),
    "modality in capitals": (f"{HEADER}\n1.png,anna,FACE,genuine\n", "'FACE' is not a modality", "row 1: modality"),
    "unknown kind": (f"{HEADER}\n1.png,anna,face,fake\n", "'fake' is not a kind", "row 1: kind"),
    "order no number": (f"{HEADER},order\n1.png,anna,face,genuine,two\n", "'two' is not a whole", "row 1: order"),
    "order a fraction": (f"{HEADER},order\n1.png,anna,face,genuine,1.5\n", "'1.5' is not a whole", "row 1: order"),
    "order infinite": (f"{HEADER},order\n1.png,anna,face,genuine,inf\n", "'inf' is not a whole", "row 1: order"),
    "order NaN": (f"{HEADER},order\n1.png,anna,face,genuine,nan\n", "'nan' is not a whole", "row 1: order"),
    "half a crop box": (
        f"{HEADER},crop_left,crop_top,crop_right,crop_bottom\n1.png,anna,face,genuine,1,2,,\n",
        "'' is not a whole",
        "row 1: crop",
    ),
    "crop without a column": (f"{HEADER},crop_left\n1.png,anna,face,genuine,1\n", "'' is not a whole", "row 1: crop"),
    "same path twice": (f"{HEADER}\n1.png,anna,face,genuine\n1.png,boris,face,genuine\n", "occurs twice", "path"),
    "an open quote": (f'{HEADER}\n"1.png,anna,face,genuine\n', "not UTF-8 comma-separated", "people.csv"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused_by_row_and_column(tmp_path: Path, name: str) -> None:
    text, message, field = BAD[name]
    with pytest.raises(CorpusInvalid, match=message) as caught:
        read_manifest(write(tmp_path, text), name="people")
    assert caught.value.field == field


def test_a_header_alone_holds_no_samples(tmp_path: Path) -> None:
    with pytest.raises(CorpusInvalid, match="people holds no samples"):
        read_manifest(write(tmp_path, HEADER + "\n"), name="people")


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00p\x00a", b"path,person,modality,kind\n\x89PNG,a,face,genuine\n"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(raw)
    with pytest.raises(CorpusInvalid, match="not UTF-8") as caught:
        read_manifest(tmp_path / "x.csv", name="x")
    assert caught.value.field == "x.csv"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CorpusMissing, match="there is no manifest"):
            read_manifest(path, name="x")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    columns = {
        "path": ["1.png", "2.png"],
        "person": ["anna", "boris"],
        "modality": ["face", "face"],
        "kind": ["genuine", "forgery"],
        "order": pa.array([4, None], pa.int64()),
        "group_age": pa.array([30, None], pa.int64()),
        "crop_left": pa.array([1.0, None], pa.float64()),
        "crop_top": pa.array([2.0, None], pa.float64()),
        "crop_right": pa.array([19.0, None], pa.float64()),
        "crop_bottom": pa.array([20.0, None], pa.float64()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "people.parquet")
    text = (
        f"{HEADER},order,group_age,crop_left,crop_top,crop_right,crop_bottom\n"
        "1.png,anna,face,genuine,4,30,1,2,19,20\n2.png,boris,face,forgery,,,,,,\n"
    )
    from_parquet = read_manifest(tmp_path / "people.parquet", name="x")
    assert from_parquet.rows == read_manifest(write(tmp_path, text), name="x").rows
    assert from_parquet.rows[0].crop == CropBox(1, 2, 19, 20)


def test_a_bad_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(CorpusInvalid, match="not a Parquet table"):
        read_manifest(tmp_path / "x.parquet", name="x")
    parquet.write_table(pa.table({"path": ["1.png"]}), tmp_path / "y.parquet")
    with pytest.raises(CorpusInvalid, match="column is missing"):
        read_manifest(tmp_path / "y.parquet", name="y")
    columns = {"path": [None], "person": ["anna"], "modality": ["face"], "kind": ["genuine"]}
    parquet.write_table(pa.table({**columns, "path": pa.array([None], pa.string())}), tmp_path / "z.parquet")
    with pytest.raises(CorpusInvalid, match="cell is empty") as caught:
        read_manifest(tmp_path / "z.parquet", name="z")
    assert caught.value.field == "row 1: path"
