"""scores.parquet: what is written is what is read, and other files are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from encode.errors import TrialsError
from eval.score_file import COLUMNS, read_scores, write_scores
from eval.trials import ScoreTable

MakeTable = Callable[..., ScoreTable]


@pytest.fixture
def table(make_table: MakeTable) -> ScoreTable:
    return make_table(genuine=np.array([[1.0, -np.inf], [2.0, 3.0]]), random=np.array([[0.0], [-1.5]]))


def test_a_table_survives_its_file(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(table, tmp_path / "scores.parquet")
    again = read_scores(tmp_path / "scores.parquet")
    assert (again.people, again.samples, again.model_digest) == (table.people, table.samples, table.model_digest)
    for column in ("kind", "scores", "claim", "draw", "probe"):
        assert (getattr(again, column) == getattr(table, column)).all()
        assert getattr(again, column).dtype == getattr(table, column).dtype


def test_columns_are_plain_for_any_reader(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(table, tmp_path / "scores.parquet")
    rows = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == {
        "claim": "p000",
        "draw": 0,
        "probe": "s000001",
        "kind": "genuine",
        "score": -np.inf,
        "failed": True,
        "model_digest": table.model_digest,
    }
    assert [row["kind"] for row in rows] == ["genuine"] * 4 + ["random"] * 2


def test_plain_strings_are_read_too(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(table, tmp_path / "coded.parquet")
    columns = {
        name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(COLUMNS, pq.read_table(tmp_path / "coded.parquet").columns, strict=True)
    }
    pq.write_table(pa.table(columns), tmp_path / "plain.parquet")
    assert (read_scores(tmp_path / "plain.parquet").scores == table.scores).all()


@pytest.mark.parametrize(
    ("column", "values", "match"),
    [
        ("kind", ["genuine"] * 5 + ["casual"], "unknown kinds: casual"),
        ("model_digest", ["a"] * 5 + ["b"], "scores of 2 models"),
        ("score", [1.0] * 5 + [np.nan], "NaN"),
    ],
)
def test_tables_that_would_give_wrong_rates_are_refused(
    table: ScoreTable, tmp_path: Path, column: str, values: list[object], match: str
) -> None:
    path = tmp_path / "scores.parquet"
    write_scores(table, path)
    read = pq.read_table(path)
    pq.write_table(read.set_column(COLUMNS.index(column), column, pa.array(values)), path)
    with pytest.raises(TrialsError, match=match):
        read_scores(path)


def test_other_files_are_refused(table: ScoreTable, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("0.1 0.2\n")
    pq.write_table(pa.table({"score": [1.0]}), tmp_path / "less.parquet")
    for name in ("text", "less", "absent"):
        with pytest.raises(TrialsError, match="is not a table of scores"):
            read_scores(tmp_path / f"{name}.parquet")


def test_a_table_without_failures_has_no_flags(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(replace(table, scores=np.arange(6.0)), tmp_path / "scores.parquet")
    assert not any(pq.read_table(tmp_path / "scores.parquet")["failed"].to_pylist())
