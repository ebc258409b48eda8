"""scores.parquet: what is written is what is read, and other files are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.files.score_file import COLUMNS, read_scores, score_path, write_scores
from eval.trials import ScoreTable, TrialKind

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
        ("score", [1.0, np.nan] + [1.0] * 3 + [np.nan], "score: row 6: the score is NaN"),
        ("score", [1.0] * 5 + [np.inf], r"row 6: the score is \+inf"),
        ("score", ["high"] * 6, "score: the column holds .*, not double"),
        ("kind", ["genuine"] * 5 + [None], "kind: row 6: the cell is empty"),
        ("probe", ["s0", "s0", "s2", "s3", "s4", "s5"], "trials occur twice .*, such as row 1 and row 2"),
        ("draw", [0] * 5 + [None], "draw: row 6: the cell is empty"),
        ("claim", ["a"] * 5 + [None], "claim: row 6: the cell is empty"),
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


def test_one_probe_may_claim_to_be_several_people(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(replace(table, probe=np.array([0, 1, 0, 3, 4, 5], dtype=np.int32)), tmp_path / "scores.parquet")
    assert read_scores(tmp_path / "scores.parquet").probe.tolist() == [0, 1, 0, 3, 4, 5]


def test_other_files_are_refused(table: ScoreTable, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("0.1 0.2\n")
    pq.write_table(pa.table({"score": [1.0]}), tmp_path / "less.parquet")
    for name, said in (("text", "is not a table"), ("less", "is not a table"), ("absent", "there is no file")):
        with pytest.raises(TrialsError, match=said):
            read_scores(tmp_path / f"{name}.parquet")


def test_a_table_without_failures_has_no_flags(table: ScoreTable, tmp_path: Path) -> None:
    write_scores(replace(table, scores=np.arange(6.0)), tmp_path / "scores.parquet")
    assert not any(pq.read_table(tmp_path / "scores.parquet")["failed"].to_pylist())


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_people_groups_split_and_protocol_survive(table: ScoreTable, tmp_path: Path) -> None:
    told = replace(
        table,
        source=np.array([0, 0, 1, 1, -1, 0], dtype=np.int32),
        groups={"group_age": ("young", ""), "group_site": ("north", "south")},
        splits=("development", "test"),
        protocol="fixed enrolment",
    )
    write_scores(told, tmp_path / "scores.parquet")
    again = read_scores(tmp_path / "scores.parquet")
    assert again.source is not None
    assert again.source.tolist() == [0, 0, 1, 1, -1, 0]
    assert (again.groups, again.splits, again.protocol) == (told.groups, told.splits, told.protocol)
    row = pq.read_table(tmp_path / "scores.parquet").to_pylist()[4]
    assert (row["source"], row["group_age"], row["split"], row["protocol"]) == (
        None,
        "young",
        "development",
        "fixed enrolment",
    )


def test_a_person_who_is_never_claimed_can_be_a_source(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.parquet",
        score=[1.0, 2.0, 3.0],
        kind=["genuine", "random", "random"],
        claim=["b", "b", "b"],
        probe=["x", "y", "z"],
        source=["b", "a", None],
    )
    found = read_scores(path)
    assert found.people == ("b", "a")
    assert found.source is not None
    assert found.source.tolist() == [0, 1, -1]


def test_one_person_has_one_group(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.parquet",
        score=[1.0, 2.0],
        kind=["genuine", "random"],
        claim=["ann", "ann"],
        group_age=["young", "old"],
    )
    with pytest.raises(TrialsError, match="group_age: 'ann' has two values"):
        read_scores(path)


def test_scores_alone_are_anonymous(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=pa.array([1, 0], pa.float32()), kind=["genuine", "skilled"])
    found = read_scores(path)
    assert (found.people, found.samples, found.model_digest) == ((), (), "")
    assert found.of(TrialKind.GENUINE).is_anonymous
    assert found.scores.dtype == np.float64
    write_scores(found, path)
    assert pq.read_schema(path).names == ["kind", "score", "failed", "model_digest"]
    again = read_scores(path)
    assert (again.scores == found.scores).all()
    assert (again.kind == found.kind).all()


def test_rows_without_probes_have_each_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=[1.0, 1.0], kind=["genuine", "genuine"], claim=["a", "a"])
    assert read_scores(path).of(TrialKind.GENUINE).comparisons == 2


def test_failures_need_no_score(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=[1.0, np.nan, None], kind=["genuine"] * 3, failed=[False, True, True])
    assert read_scores(path).scores.tolist() == [1.0, -np.inf, -np.inf]


def test_nan_may_be_taken_for_a_failure(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=[1.0, np.nan, None], kind=["genuine"] * 3)
    assert read_scores(path, nan_is_failure=True).scores.tolist() == [1.0, -np.inf, -np.inf]


def test_one_model_and_protocol_are_chosen(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.parquet",
        score=[1.0, 2.0, 3.0, np.nan],
        kind=["genuine", "random", "genuine", "genuine"],
        claim=["a", "b", "c", "d"],
        model=["m", "m", "n", "n"],
        protocol=["dev", "eval", "dev", "eval"],
    )
    with pytest.raises(TrialsError, match=r"model: s.parquet holds scores of 2 models.*'m', 'n' \(choose.*--model"):
        read_scores(path)
    with pytest.raises(TrialsError, match=r"2 protocols.*'dev', 'eval' \(choose.*--protocol"):
        read_scores(path, model="m")
    found = read_scores(path, model="m", protocol="eval")
    assert (found.people, found.scores.tolist()) == (("b",), [2.0])
    assert (found.model_digest, found.protocol) == ("m", "eval")
    with pytest.raises(TrialsError, match="row 4: the score is NaN"):
        read_scores(path, model="n", protocol="eval")
    with pytest.raises(TrialsError, match="no scores of 'o'; models in the file: 'm', 'n'"):
        read_scores(path, model="o")


def test_a_model_that_nobody_names_cannot_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=[1.0], kind=["genuine"])
    with pytest.raises(TrialsError, match="models in the file: none named"):
        read_scores(path, model="m")


def test_files_without_trials_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", score=pa.array([], pa.float64()), kind=pa.array([], pa.string()))
    with pytest.raises(TrialsError, match="has no rows"):
        read_scores(path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrialsError, match=r"no column 'kind' \(columns: score, kind"):
        read_scores(write(tmp_path / "s.parquet", score=[1.0]))


def test_a_folder_stands_for_its_scores(tmp_path: Path) -> None:
    assert score_path(tmp_path) == tmp_path / "scores.parquet"
    assert score_path(tmp_path / "other.txt") == tmp_path / "other.txt"


@given(st.data())
def test_any_table_survives_its_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    people, samples = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    key = st.tuples(
        st.integers(0, people - 1), st.integers(0, 3), st.integers(0, samples - 1), st.sampled_from([0, 1, 2])
    )
    keys = data.draw(st.lists(key, min_size=1, max_size=20, unique=True))
    claim, draw, probe, kind = (np.array(column, dtype=np.int32) for column in zip(*keys, strict=True))
    score = st.one_of(st.just(-np.inf), st.floats(allow_nan=False, allow_infinity=False))
    text = st.text(st.characters(exclude_categories=["Cs"]))
    table = ScoreTable(
        people=tuple(data.draw(st.lists(text, min_size=people, max_size=people, unique=True))),
        samples=tuple(data.draw(st.lists(text, min_size=samples, max_size=samples, unique=True))),
        kind=kind.astype(np.int8),
        scores=np.array(data.draw(st.lists(score, min_size=len(keys), max_size=len(keys)))),
        claim=claim,
        draw=draw,
        probe=probe,
        model_digest=data.draw(text),
    )
    path = tmp_path_factory.getbasetemp() / "s.parquet"
    write_scores(table, path)
    again = read_scores(path)
    assert (again.people, again.samples, again.model_digest) == (table.people, table.samples, table.model_digest)
    for column in ("kind", "scores", "claim", "draw", "probe"):
        assert (getattr(again, column) == getattr(table, column)).all()


def test_the_part_and_groups_of_people_who_are_never_claimed_survive(table: ScoreTable, tmp_path: Path) -> None:
    told = replace(
        table,
        people=(*table.people, "x", "y"),
        source=np.array([0, 0, 1, 1, 2, 3], dtype=np.int32),
        groups={"group_age": ("old", "", "young", "")},
        splits=("development", "test", "test", "development"),
    )
    write_scores(told, tmp_path / "scores.parquet")
    again = read_scores(tmp_path / "scores.parquet")
    assert (again.people, again.splits, again.groups) == (told.people, told.splits, told.groups)
    held = pq.read_table(tmp_path / "scores.parquet")
    column = held.column_names.index("source_split")
    other = held.set_column(column, "source_split", pa.array(["test", *["test"] * 4, "development"]))
    pq.write_table(other, tmp_path / "other.parquet")
    with pytest.raises(TrialsError, match="'p000' has two values"):
        read_scores(tmp_path / "other.parquet")
