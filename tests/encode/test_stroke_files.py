"""Each stroke format reads what its devices write, and refuses the rest at the line at fault."""

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import FieldInvalid, PenNeverDown, SampleEmpty, SampleError, SampleTooLarge, StrokesFileInvalid
from encode.sample import StrokesSample
from encode.stroke_files import FORMATS, MAX_BYTES, SUFFIXES, parse_strokes, write_strokes_csv, write_strokes_json
from encode.strokes import read_strokes

SVC = b"4\n635 5541 31077710 0 \n618 5431 31077720 1 \n600 5443 31077720 5 \n575 5515 31077715 0 \n"
TASK2 = b"2\r\n10 20 500 0 1480 520 310\r\n11 22 510 1 1490 520 455\r\n"
SUSIG = (
    b"X, Y, TStamp, Pres., EndPts\nDataSize: 5\n"
    b"13156 12408 0 10 0\n13150 12400 15 12 1\n13100 12300 4294980 17 0\n13090 12290 5 20 0\n13090 12290 15 0 0\n"
)
SIGCOMP = (
    b"ABCDE-012_345_678 8\n\t 7000 19000    -1  1610   480\n\t 7347 19420    35  1610   480\n"
    b"\t 7365 19415     0  1610   480\n\t    0     0    -4  99999 -7\n\t 7400 19400    -1     0     0\n"
    b"\t 7385 19435   519  1600   480\n\t 7300 19300    -1  1600   480\n\t    0     0    -4     0     0\n"
)
CSV = b"x,y,t,p,pen\n1,2,1000,0.5,0\n3,4.5,1010,0.75,1\n"
AS_CSV = StrokesSample(x=(1.0, 3.0), y=(2.0, 4.5), t=(0.0, 10.0), pressure=(0.5, 0.75), pen_down=(False, True))
FILES = {"svc2004": SVC, "susig": SUSIG, "sigcomp2009": SIGCOMP, "csv": CSV, "json": write_strokes_json(AS_CSV)}


def test_svc2004_time_starts_at_zero_and_any_button_but_0_is_a_touching_pen() -> None:
    assert parse_strokes(SVC) == StrokesSample(
        x=(635.0, 618.0, 600.0, 575.0),
        y=(5541.0, 5431.0, 5443.0, 5515.0),
        t=(0.0, 10.0, 10.0, 5.0),
        pen_down=(False, True, True, False),
    )


def test_svc2004_task_2_has_pressure_behind_the_angles() -> None:
    assert parse_strokes(TASK2) == StrokesSample(
        x=(10.0, 11.0), y=(20.0, 22.0), t=(0.0, 10.0), pressure=(310.0, 455.0), pen_down=(False, True)
    )


def test_a_susig_stroke_begins_after_the_end_point_of_the_last() -> None:
    """The clock's faults stay as they are: `encode.pen_clock` knows how to repair them."""
    assert parse_strokes(SUSIG) == StrokesSample(
        x=(13156.0, 13150.0, 13100.0, 13090.0, 13090.0),
        y=(12408.0, 12400.0, 12300.0, 12290.0, 12290.0),
        t=(0.0, 15.0, 4294980.0, 5.0, 15.0),
        pressure=(10.0, 12.0, 17.0, 20.0, 0.0),
        pen_down=(False, True, False, True, False),
    )


def test_sigcomp_hover_is_cut_off_at_the_ends_and_kept_between() -> None:
    """Points without a position are dropped, and the 5 ms of each pass all the same."""
    assert parse_strokes(SIGCOMP) == StrokesSample(
        x=(7347.0, 7365.0, 7400.0, 7385.0),
        y=(19420.0, 19415.0, 19400.0, 19435.0),
        t=(0.0, 5.0, 15.0, 20.0),
        pressure=(35.0, 0.0, 0.0, 519.0),
        pen_down=(True, False, False, True),
    )


def test_a_sigcomp_pen_that_never_touches_is_the_validations_to_refuse() -> None:
    rows = "".join(f"{10 * index} {index * index} -1 0 0\n" for index in range(1, 41))
    sample = parse_strokes(f"ABCDE-000_000_000 40\n{rows}".encode())
    assert len(sample.x) == 40
    with pytest.raises(PenNeverDown):
        read_strokes(sample)


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n"),
        b'"X", "Y", "t_ms", "Pressure", "pen_down"\n1,2,1000,0.5,false\n\n3,4.5,1010,0.75,True\n',
        b"azimuth,pen,p,t,y,x,altitude\n,0,.5,1000,2,1,n/a\n9,1.0,7.5e-1, 1010 ,4.5,3,\n",
    ],
    ids=["plain", "windows", "long names", "any order"],
)
def test_csv_columns_go_by_their_names(text: bytes) -> None:
    assert parse_strokes(text) == AS_CSV


@pytest.mark.parametrize(
    "data",
    [
        {"x": [1, 3], "y": [2, 4.5], "t": [1000, 1010], "p": [0.5, 0.75], "pen": [0, 1]},
        {
            "Pen_Down": [False, True],
            "pressure": [0.5, 0.75],
            "t_ms": [0, 10],
            "y": [2, 4.5],
            "x": [1, 3],
            "azimuth": [],
        },
        [
            {"x": 1, "y": 2, "t": 5, "p": 0.5, "pen": False, "altitude": None},
            {"x": 3, "y": 4.5, "t": 15, "p": 0.75, "pen": 1, "altitude": 3},
        ],
    ],
    ids=["lists", "long names", "points"],
)
def test_json_is_an_object_of_lists_or_a_list_of_points(data: object) -> None:
    assert parse_strokes(json.dumps(data, indent=1).encode()) == AS_CSV


def test_pressure_and_pen_may_be_left_out() -> None:
    bare = StrokesSample(x=(1.0, 3.0), y=(2.0, 4.5), t=(0.0, 10.0))
    assert parse_strokes(b"x,y,t\n1,2,0\n3,4.5,10\n") == bare
    assert parse_strokes(b'{"x": [1, 3], "y": [2, 4.5], "t": [0, 10]}') == bare
    for write in (write_strokes_csv, write_strokes_json):
        assert parse_strokes(write(bare)) == bare


finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.tuples(finite, finite, st.floats(0, 1e7), st.floats(0, 1e9), st.booleans())


@pytest.mark.parametrize("write", [write_strokes_csv, write_strokes_json])
@given(rows=st.lists(points, min_size=1, max_size=9), pressed=st.booleans(), penned=st.booleans())
def test_what_is_written_reads_back_the_same(
    write: Callable[[StrokesSample], bytes], rows: list[tuple[float, ...]], pressed: bool, penned: bool
) -> None:
    x, y, t, pressure, pen = (tuple(column) for column in zip(*rows, strict=True))
    sample = StrokesSample(x, y, (0.0, *t[1:]), pressure if pressed else (), tuple(map(bool, pen)) if penned else ())
    assert parse_strokes(write(sample)) == sample


def test_a_value_that_json_cannot_hold_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_strokes_json(StrokesSample((float("nan"),), (0.0,), (0.0,)))


@pytest.mark.parametrize("format", FORMATS)
def test_the_content_tells_the_format_whatever_the_name(format: str) -> None:
    named = parse_strokes(FILES[format], format=format)
    for name in ("", "signature", *(f"signature{suffix.upper()}" for suffix in SUFFIXES)):
        assert parse_strokes(FILES[format], name) == named


@pytest.mark.parametrize(("suffix", "format"), SUFFIXES.items())
def test_where_the_content_does_not_tell_the_name_decides(suffix: str, format: str) -> None:
    with pytest.raises(StrokesFileInvalid) as by_name:
        parse_strokes(b"two words\n", f"folder/signature{suffix}")
    with pytest.raises(StrokesFileInvalid) as by_format:
        parse_strokes(b"two words\n", format=format)
    assert str(by_name.value) == str(by_format.value)
    with pytest.raises(StrokesFileInvalid, match=r"line 1: .* no stroke format"):
        parse_strokes(b"two words\n", "signature.doc")


def test_a_format_nobody_knows_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="svc2004, susig, sigcomp2009, csv, json"):
        parse_strokes(CSV, format="inkml")


@pytest.mark.parametrize("data", [b"", b" \r\n\t "])
def test_an_empty_file_is_empty(data: bytes) -> None:
    with pytest.raises(SampleEmpty):
        parse_strokes(data, "a.csv")


def test_a_file_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(SampleTooLarge, match=f"{MAX_BYTES + 1:,} bytes"):
        parse_strokes(b"\xff" * (MAX_BYTES + 1), "a.csv")


def test_a_million_points_are_too_large() -> None:
    with pytest.raises(SampleTooLarge):
        parse_strokes(b"x,y,t\n" + b"1,2,3\n" * 1_000_000)


@pytest.mark.parametrize("header", [b"0\n", b"X, Y, TStamp, Pres., EndPts\nDataSize: 0\n", b"A-0_0_0 0\n", b"x,y,t\n"])
def test_a_file_without_points_is_an_empty_sample(header: bytes) -> None:
    with pytest.raises(SampleEmpty):
        read_strokes(parse_strokes(header))


BAD: dict[str, tuple[str, bytes, str]] = {
    "svc cut short": ("svc2004", SVC[:-40], "line 1: the header declares 4 points, the file holds 3"),
    "svc goes on": ("svc2004", SVC + b"1 2 3 0\n", "line 1: .* 4 points, the file holds 5"),
    "svc without a count": ("svc2004", SVC.partition(b"\n")[2], "line 1: the header does not declare"),
    "svc negative count": ("svc2004", b"-1\n", "line 1: the header does not declare"),
    "svc count in other digits": ("svc2004", "²\n1 2 3 0\n".encode(), "line 1: the header does not declare"),
    "svc too few columns": ("svc2004", SVC.replace(b"5431 ", b""), "line 3: 3 columns"),
    "svc both tasks": ("svc2004", SVC.replace(b"31077720 1", b"31077720 1 1 1 1"), "line 3: 7 columns"),
    "svc a word": ("svc2004", SVC.replace(b"5443", b"five"), "line 4: a cell is not a number"),
    "svc NaN": ("svc2004", SVC.replace(b"5443", b"nan"), "line 4: a cell is not a finite number"),
    "svc too large a number": ("svc2004", SVC.replace(b"5443", b"1e999"), "line 4: a cell is not a finite number"),
    "task 2 negative pressure": ("svc2004", TASK2.replace(b"455", b"-455"), "line 3: the pressure is negative"),
    "not text": ("svc2004", b"2\n1 2 3 0\n\xff\xfe 2 3 0\n", "line 3: the file is not text"),
    "susig header": ("susig", SUSIG.replace(b"TStamp", b"Time"), "line 1: the header is not"),
    "susig no size": ("susig", SUSIG.replace(b"DataSize: 5", b"5"), "line 2: the header does not declare"),
    "susig only a header": ("susig", SUSIG.partition(b"\n")[0], "line 2: the header does not declare"),
    "susig cut short": ("susig", SUSIG[:-20], "line 2: the header declares 5 points, the file holds 4"),
    "susig negative pressure": ("susig", SUSIG.replace(b"15 12 1", b"15 -12 1"), "line 4: the pressure is negative"),
    "sigcomp header": ("sigcomp2009", SIGCOMP.replace(b"678 8", b"678"), "line 1: the header is not an id"),
    "sigcomp cut short": ("sigcomp2009", SIGCOMP[:-40], "line 1: the header declares 8"),
    "sigcomp column gone": ("sigcomp2009", SIGCOMP.replace(b"35  1610 ", b"35 "), "line 3: 4 columns"),
    "csv without a header": ("csv", b"1,2,3\n", "line 1: a column has a name that is not known"),
    "csv misspelt column": ("csv", CSV.replace(b",p,", b",presure,"), "line 1: a column has a name"),
    "csv without time": ("csv", b"x,y\n1,2\n", "line 1: the column 't' is missing"),
    "csv a column twice": ("csv", b"x,y,t,t_ms\n1,2,3,3\n", "line 1: the column 't' is there twice"),
    "csv too many cells": ("csv", CSV + b"1,2,3,4,1,6\n", "line 4: 6 cells under a header of 5"),
    "csv empty cell": ("csv", CSV + b"1,,3,4,1\n", "line 4: a cell is not a number"),
    "csv infinite": ("csv", CSV + b"1,-inf,3,4,1\n", "line 4: a cell is not a finite number"),
    "csv strange pen": ("csv", CSV + b"1,2,3,4,down\n", "line 4: pen is none of 0, 1, true and false"),
    "csv open quote": ("csv", CSV + b'1,2,3,4,"1\n', "line 4: the line is not comma-separated"),
    "csv no lines": ("csv", "\u00a0\n".encode(), "line 1: there is no header"),
    "json cut short": ("json", b'{"x": [1,\n 2', "line 2: the text is not JSON"),
    "json NaN": ("json", b'{"x": [NaN], "y": [1], "t": [1]}', "line 1: the text is not JSON"),
    "json digits without end": ("json", b'{"x": [' + b"9" * 5000 + b"]}", "line 1: the text is not JSON"),
    "json too deep": ("json", b"[" * 100_000, "line 1: the text is not JSON"),
    "json a number": ("json", b"[1, 2]", r"\[0\]: the point is not an object"),
    "json a word": ("json", b'"x"', "line 1: the text is neither"),
    "json unknown name": ("json", b'{"x": [], "y": [], "t": [], "z": []}', "line 1: a column has a name"),
    "json name twice": ("json", b'{"x": [], "y": [], "t": [], "x": []}', "line 1: the column 'x' is there twice"),
    "json no list": ("json", b'{"x": 1, "y": [], "t": []}', "x: the column is not a list"),
    "json a boolean coordinate": ("json", b'{"x": [true], "y": [1], "t": [1]}', r"x\[0\]: the value is not a number"),
    "json null": ("json", b'{"x": [1], "y": [null], "t_ms": [1]}', r"y\[0\]: the value is not a number"),
    "json infinite": ("json", b'{"x": [1], "y": [1], "t_ms": [1e999]}', r"t_ms\[0\]: .* not a finite number"),
    "json long integer": ("json", b'{"x": [1' + b"0" * 400 + b'], "y": [1], "t": [1]}', r"x\[0\]: .* finite"),
    "json strange pen": ("json", b'{"x": [1], "y": [1], "t": [1], "pen": [2]}', r"pen\[0\]: the pen is none of"),
    "json other points": (
        "json",
        b'[{"x": 1, "y": 2, "t": 3}, {"x": 1, "y": 2, "t": 3, "p": 1}]',
        r"\[1\]: the point has other names",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_parse_is_refused_where_it_is(case: str) -> None:
    format, data, match = BAD[case]
    with pytest.raises(StrokesFileInvalid, match=match) as caught:
        parse_strokes(data, format=format)
    assert caught.value.field
    assert caught.value.fix


@given(data=st.binary(max_size=200), format=st.sampled_from([None, *FORMATS]))
def test_no_bytes_break_a_parser(data: bytes, format: str | None) -> None:
    with suppress(SampleError):
        assert isinstance(parse_strokes(data, "signature.csv", format), StrokesSample)


@given(
    format=st.sampled_from([*FORMATS]),
    at=st.integers(0, 300),
    removed=st.integers(0, 9),
    put=st.text("0123456789.-,e \n\"'[]{}:xytnaif\x00²", max_size=4),
)
def test_damage_to_a_file_is_read_or_refused(format: str, at: int, removed: int, put: str) -> None:
    data = FILES[format]
    damaged = data[:at] + put.encode() + data[at + removed :]
    with suppress(SampleError):
        assert isinstance(parse_strokes(damaged, format=format), StrokesSample)
