"""Embeddings in Parquet and NPY: what is written is what is read, other layouts are read too, mistakes are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from encode.errors import ConfigError, CorpusInvalid, CorpusMissing
from encode.sample import Modality
from eval.files.embedding_file import read_embeddings, write_embeddings
from eval.files.embedding_set import EmbeddingSet


def assert_same(found: EmbeddingSet, wanted: EmbeddingSet) -> None:
    for name in ("samples", "people", "kinds", "orders", "sessions", "splits"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        assert one is None or list(one) == list(other), name
    assert (found.modality, found.model_digest) == (wanted.modality, wanted.model_digest)
    assert found.reasons == wanted.reasons
    assert {name: list(values) for name, values in found.groups.items()} == wanted.groups
    assert found.embeddings.dtype == np.float32
    assert (found.embeddings == wanted.embeddings).all()


@pytest.mark.parametrize("name", ["e.parquet", "e.npy"])
def test_a_set_survives_its_files(three: EmbeddingSet, tmp_path: Path, name: str) -> None:
    paths = write_embeddings(three, tmp_path / "new" / name)
    assert all(path.is_file() for path in paths)
    assert_same(read_embeddings(paths[0]), three)


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=4)
MAYBE = st.one_of(st.none(), TEXT)


@st.composite
def sets(draw: st.DrawFn) -> EmbeddingSet:
    rows, size = draw(st.integers(1, 8)), draw(st.integers(1, 5))

    def column(values: st.SearchStrategy[Any], **options: bool) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows, **options))

    embeddings = draw(
        hnp.arrays(np.float32, (rows, size), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
    )
    embeddings[~embeddings.any(axis=1), 0] = 1
    failed = draw(st.sets(st.integers(0, rows - 1), max_size=rows - 1))
    embeddings[list(failed)] = 0
    return EmbeddingSet(
        samples=column(TEXT, unique=True),
        people=column(TEXT),
        kinds=column(st.sampled_from(["genuine", "forgery"])),
        modality=draw(st.sampled_from(list(Modality))),
        embeddings=embeddings,
        reasons=dict.fromkeys(failed, draw(st.sampled_from(["IMAGE_CORRUPT", "TOO SHORT"]))),
        groups={f"group_{name}": column(TEXT) for name in draw(st.sets(TEXT, max_size=2))},
        orders=[0, *column(st.one_of(st.none(), st.integers(0, 2**40)))[1:]] if draw(st.booleans()) else None,
        sessions=["1", *column(MAYBE)[1:]] if draw(st.booleans()) else None,
        splits=["test", *column(MAYBE)[1:]] if draw(st.booleans()) else None,
        model_digest=draw(st.one_of(st.just(""), TEXT)),
    )


@given(sets(), st.sampled_from(["e.parquet", "e.npy"]))
def test_any_set_survives_its_files(tmp_path_factory: pytest.TempPathFactory, held: EmbeddingSet, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / name
    write_embeddings(held, path)
    assert_same(read_embeddings(path), held)


def test_wide_rows_survive_over_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.files.embedding_file._GROUP_BYTES", 16 << 20)
    generator = np.random.default_rng(0)
    rows = 4_500
    held = EmbeddingSet(
        samples=[f"s{row}" for row in range(rows)],
        people=[f"p{row // 10}" for row in range(rows)],
        kinds=["genuine"] * rows,
        modality=Modality.SIGNATURE,
        embeddings=generator.normal(size=(rows, 2560)).astype(np.float32),
    )
    (path,) = write_embeddings(held, tmp_path / "wide.parquet")
    assert pq.ParquetFile(path).num_row_groups > 1
    assert_same(read_embeddings(path), held)


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.float16()), pa.list_(pa.int8())]
)
def test_any_list_of_numbers_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    values = [[1, 2], None, [3, 4]]
    if pa.types.is_floating(kind.value_type) and kind.value_type.bit_width == 16:
        values = [None if row is None else [np.float16(value) for value in row] for row in values]
    path = write(
        tmp_path / "e.parquet",
        sample=["x", "y", "z"],
        person=[1, 1, 2],
        embedding=pa.array(values, kind),
        failed=[None, "dark", ""],
        order=[1.0, None, 2.0],
        notes=["read", "by", "nobody"],
    )
    held = read_embeddings(path, modality=Modality.SIGNATURE)
    assert held.embeddings.tolist() == [[1, 2], [0, 0], [3, 4]]
    assert held.reasons == {1: "dark"}
    assert (held.people, held.orders) == (["1", "1", "2"], [1, None, 2])
    assert (held.modality, held.kinds, held.sessions) == (Modality.SIGNATURE, ["genuine"] * 3, None)


def test_a_flag_may_stand_for_the_reason(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.parquet",
        sample=["x", "y"],
        person=["a", "a"],
        embedding=[[1.0, 2.0], [np.nan, 0.0]],
        failed=[False, True],
    )
    held = read_embeddings(path)
    assert held.reasons == {1: "FAILURE_TO_ACQUIRE"}
    assert held.embeddings.tolist() == [[1, 2], [0, 0]]


GOOD = {"sample": ["x", "y", "z"], "person": ["a", "a", "b"], "embedding": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sample": None}, "no column 'sample'"),
        ({"embedding": None}, "embedding: the column is missing"),
        ({"embedding": [1.0, 2.0, 3.0]}, "embedding: the column holds double, not lists"),
        ({"embedding": [["a"], ["b"], ["c"]]}, "embedding: the column holds list<.*string>, not lists of numbers"),
        ({"embedding": [[1.0, 2.0], [3.0], [5.0, 6.0]]}, "row 2: embedding: 1 values, where the rows before have 2"),
        ({"embedding": [[1.0, 2.0], [3.0, 4.0], [5.0, None]]}, "row 3: embedding: a value is missing"),
        ({"embedding": [[1.0, 2.0], None, [5.0, 6.0]]}, "row 2: embedding: the cell is empty .*failed"),
        ({"embedding": pa.array([[], [], []], pa.list_(pa.float32()))}, "row 1: embedding: there are no values"),
        ({"embedding": [[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]}, "row 2: embedding: a value is NaN"),
        ({"embedding": [[1.0, 2.0], [3.0, 1e300], [5.0, 6.0]]}, "row 2: embedding: a value is NaN or infinite"),
        ({"embedding": [[1.0, 2.0], [0.0, 0.0], [5.0, 6.0]]}, "row 2: embedding: all values are zero"),
        ({"failed": ["dark"] * 3}, "there are no embeddings"),
        ({"sample": ["x", "y", "x"]}, "row 3: sample: 'x' is the id of row 1"),
        ({"person": ["a", None, "b"]}, "row 2: person: the cell is empty"),
        ({"kind": ["genuine", "random", "genuine"]}, "row 2: kind: 'random' is not a kind"),
        ({"order": ["1", "two", "3"]}, "row 2: order: 'two' is not a whole number"),
        ({"modality": ["iris"] * 3}, "modality: 'iris' is not a modality"),
        ({"modality": ["face", "face", "signature"]}, "modality: 2 values where one is meant"),
        ({"model_digest": ["m", "n", "n"]}, "model_digest: 2 values where one is meant"),
    ],
)
def test_mistakes_name_the_row_and_the_column(tmp_path: Path, change: dict[str, object], match: str) -> None:
    columns = {name: values for name, values in (GOOD | change).items() if values is not None}
    with pytest.raises(CorpusInvalid, match=match):
        read_embeddings(write(tmp_path / "e.parquet", **columns))


def test_files_that_are_no_embeddings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("0.1 0.2\n")
    with pytest.raises(CorpusInvalid, match=r"text\.parquet is not a table of embeddings"):
        read_embeddings(tmp_path / "text.parquet")
    with pytest.raises(CorpusMissing, match="there is no file"):
        read_embeddings(tmp_path / "absent.parquet")
    with pytest.raises(CorpusInvalid, match="has no rows"):
        read_embeddings(
            write(
                tmp_path / "e.parquet",
                sample=pa.array([], pa.string()),
                person=pa.array([], pa.string()),
                embedding=pa.array([], pa.list_(pa.float32())),
            )
        )


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "e.npy", np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32))
    return tmp_path / "e.npy"


def test_an_array_is_used_from_disk_with_a_list_of_people(array: Path) -> None:
    (array.parent / "e.people.txt").write_text("ann\nann\nbob\n")
    held = read_embeddings(array)
    assert isinstance(held.embeddings, np.memmap)
    assert (held.people, held.kinds) == (["ann", "ann", "bob"], ["genuine"] * 3)
    assert held.samples == ["row-00000001", "row-00000002", "row-00000003"]


def test_an_array_goes_with_a_table_of_people_anywhere(array: Path, tmp_path: Path) -> None:
    people = tmp_path / "who.csv"
    people.write_text("sample,person,kind,group_hand,failed\ny,ann,,left,\nx,ann,forgery,left,blurred\nz,bob,,,\n")
    held = read_embeddings(array, people)
    assert (held.samples, held.kinds) == (["y", "x", "z"], ["genuine", "forgery", "genuine"])
    assert held.groups == {"group_hand": ["left", "left", ""]}
    assert held.reasons == {1: "blurred"}
    assert held.embeddings.tolist() == [[1, 2], [0, 0], [5, 6]]
    assert np.load(array).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_doubles_are_read_as_the_floats_they_round_to(array: Path) -> None:
    np.save(array, np.array([[0.1, 2]]))
    (array.parent / "e.people.txt").write_text("ann\n")
    assert read_embeddings(array).embeddings.tolist() == [[np.float32(0.1), 2]]


def test_arrays_that_do_not_fit_are_refused(array: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match=r"no e\.people\.parquet, \.csv or \.txt beside e\.npy"):
        read_embeddings(array)
    people = tmp_path / "e.people.txt"
    people.write_text("ann\nbob\n")
    with pytest.raises(CorpusInvalid, match="person: 2 people for 3 embeddings"):
        read_embeddings(array)
    people.write_text("ann\n\nbob\n")
    with pytest.raises(CorpusInvalid, match="row 2: person: the cell is empty"):
        read_embeddings(array)
    people.write_text("ann\nann\nbob\n")
    with pytest.raises(CorpusMissing, match="there is no file"):
        read_embeddings(array, tmp_path / "other.txt")
    people.write_bytes(b"\xff\n")
    with pytest.raises(CorpusInvalid, match="not UTF-8"):
        read_embeddings(array)
    people.write_text("ann\nann\nbob\n")
    for wrong in (np.ones(3), np.array([["a"]]), np.array([[None]], dtype=object), np.ones((3, 2), dtype=np.complex64)):
        np.save(array, wrong, allow_pickle=True)
        with pytest.raises(CorpusInvalid, match="array"):
            read_embeddings(array)
    array.write_bytes(b"not an array")
    with pytest.raises(CorpusInvalid, match="not an array of numbers"):
        read_embeddings(array)


def test_a_file_that_cannot_be_written_is_a_typed_error(three: EmbeddingSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_embeddings(three, tmp_path / "file" / "e.parquet")
