"""Text written is text read, and what text cannot hold is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import ConfigError, TrialsError
from eval.files.score_export import write_idiap, write_plain
from eval.files.score_text import read_idiap, read_plain
from eval.trials import KINDS, ScoreTable, TrialKind

MakeTable = Callable[..., ScoreTable]


@pytest.fixture
def table(make_table: MakeTable) -> ScoreTable:
    """Two people, both kinds of impostor; who made the probes is known of all but the forgeries."""
    made = make_table(
        genuine=np.array([[1.0, -np.inf], [2.0, 3.0]]),
        random=np.array([[0.25], [-1.5]]),
        skilled=np.array([[0.5], [1 / 3]]),
    )
    return replace(made, source=np.array([0, 0, 1, 1, 1, 0, -1, -1], dtype=np.int32))


def test_four_columns_are_as_documented(table: ScoreTable, tmp_path: Path) -> None:
    path = write_idiap(table, tmp_path / "new" / "scores.txt", kind=TrialKind.RANDOM)
    assert path.read_text().splitlines() == [
        "p000 p000 s000000 1",
        "p000 p000 s000001 nan",
        "p001 p001 s000002 2",
        "p001 p001 s000003 3",
        "p000 p001 s000004 0.25",
        "p001 p000 s000005 -1.5",
    ]


def test_five_columns_name_a_template_a_draw(table: ScoreTable, tmp_path: Path) -> None:
    drawn = replace(table, draw=np.array([0, 0, 1, 0, 2, 0, 0, 1], dtype=np.int32))
    path = write_idiap(drawn, tmp_path / "scores.txt", columns=5, kind=TrialKind.SKILLED)
    assert path.read_text().splitlines()[2:] == [
        "p001 p001-1 p001 s000002 2",
        "p001 p001-0 p001 s000003 3",
        "p000 p000-0 unknown s000006 0.5",
        "p001 p001-1 unknown s000007 0.3333333333333333",
    ]


def test_plain_files_hold_scores_alone(table: ScoreTable, tmp_path: Path) -> None:
    genuine, impostor = write_plain(table, tmp_path, kind=TrialKind.SKILLED)
    assert genuine.read_text() == "1\nnan\n2\n3\n"
    assert impostor.read_text() == "0.5\n0.3333333333333333\n"


def test_one_draw_can_be_chosen(table: ScoreTable, tmp_path: Path) -> None:
    drawn = replace(table, draw=np.array([0, 1, 0, 1, 0, 1, 0, 1], dtype=np.int32))
    path = write_idiap(drawn, tmp_path / "s.txt", kind=TrialKind.RANDOM, draw=1)
    assert [line.split()[2] for line in path.read_text().splitlines()] == ["s000001", "s000003", "s000005"]
    with pytest.raises(TrialsError, match=r"cannot tell 2 draws .* apart .*choose one of 0 to 1"):
        write_idiap(drawn, tmp_path / "s.txt", kind=TrialKind.RANDOM)
    with pytest.raises(TrialsError, match="draw: there are no genuine trials of draw 7"):
        write_plain(drawn, tmp_path, kind=TrialKind.RANDOM, draw=7)


def test_the_kind_is_chosen_where_there_are_two(table: ScoreTable, make_table: MakeTable, tmp_path: Path) -> None:
    with pytest.raises(TrialsError, match="kind: text does not tell random from skilled"):
        write_plain(table, tmp_path)
    one = make_table(genuine=np.ones((2, 1)), skilled=np.zeros((2, 1)))
    assert write_plain(one, tmp_path)[1].read_text() == "0\n0\n"
    with pytest.raises(TrialsError, match="no random trials"):
        write_plain(one, tmp_path, kind=TrialKind.RANDOM)
    with pytest.raises(TrialsError, match="no impostor trials"):
        write_plain(make_table(genuine=np.ones((2, 1))), tmp_path)
    with pytest.raises(TrialsError, match="no genuine trials"):
        write_plain(make_table(random=np.ones((2, 1))), tmp_path)


@pytest.mark.parametrize("name", ["two words", "", "#5", "tab\there", "line\nbreak"])
def test_names_that_are_no_words_are_refused(table: ScoreTable, tmp_path: Path, name: str) -> None:
    for changed in (replace(table, people=("p0", name)), replace(table, samples=(*table.samples[1:], name))):
        with pytest.raises(TrialsError, match="is no single word"):
            write_idiap(changed, tmp_path / "s.txt", kind=TrialKind.RANDOM)


def test_quotation_marks_and_commas_are_part_of_a_name(table: ScoreTable, tmp_path: Path) -> None:
    quoted = replace(table, people=('o"neill', '"a,b"'))
    path = write_idiap(quoted, tmp_path / "s.txt", kind=TrialKind.RANDOM)
    assert path.read_text().splitlines()[0] == 'o"neill o"neill s000000 1'
    assert read_idiap(path, nan_is_failure=True).people == quoted.people


def test_scores_without_people_have_no_columns(tmp_path: Path) -> None:
    for side in ("g", "i"):
        (tmp_path / side).write_text("1\n")
    table = read_plain(tmp_path / "g", tmp_path / "i")
    with pytest.raises(TrialsError, match=r"who was claimed .*export them as plain files"):
        write_idiap(table, tmp_path / "s.txt")


def test_an_impostor_of_the_claimed_name_is_refused(table: ScoreTable, tmp_path: Path) -> None:
    wrong = replace(table, source=np.zeros(len(table), dtype=np.int32))
    with pytest.raises(TrialsError, match="text would make genuine"):
        write_idiap(wrong, tmp_path / "s.txt", kind=TrialKind.RANDOM)


def test_a_file_that_cannot_be_written_is_a_typed_error(table: ScoreTable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_idiap(table, tmp_path / "file" / "s.txt", kind=TrialKind.RANDOM)


SCORE = st.one_of(st.just(-np.inf), st.floats(allow_nan=False, allow_infinity=False))
NAME = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=3).filter(
    lambda name: not name.startswith("#") and name != "unknown"
)


@st.composite
def tables(draw: st.DrawFn) -> ScoreTable:
    """Tables of genuine and random trials in an order of draws that text keeps: each person's begin at 0."""
    people = draw(st.lists(NAME, min_size=2, max_size=4, unique=True))
    samples = draw(st.lists(NAME, min_size=4, max_size=6, unique=True))
    owner = [draw(st.integers(0, len(people) - 1)) for _ in samples]
    owner[:2] = [0, 1]
    claims = [(person, number) for person in range(len(people)) for number in range(draw(st.integers(1, 2)))]
    rows = [(person, number, probe) for person, number in claims for probe in range(len(samples))]
    claim, number, probe = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    source = np.array(owner, dtype=np.int32)[probe]
    return ScoreTable(
        people=tuple(people),
        samples=tuple(samples),
        kind=(source != claim).astype(np.int8),
        scores=np.array(draw(st.lists(SCORE, min_size=len(rows), max_size=len(rows)))),
        claim=claim,
        draw=number,
        probe=probe,
        model_digest="m",
        source=source,
    )


@given(tables())
def test_five_columns_read_again_are_the_same_trials(
    tmp_path_factory: pytest.TempPathFactory, table: ScoreTable
) -> None:
    path = tmp_path_factory.getbasetemp() / "s.txt"
    again = read_idiap(write_idiap(table, path, columns=5), nan_is_failure=True)
    assert again.source is not None
    assert table.source is not None
    assert [again.people[person] for person in again.claim] == [table.people[person] for person in table.claim]
    assert [again.people[person] for person in again.source] == [table.people[person] for person in table.source]
    assert [again.samples[probe] for probe in again.probe] == [table.samples[probe] for probe in table.probe]
    for column in ("kind", "scores", "draw"):
        assert (getattr(again, column) == getattr(table, column)).all()


@given(tables())
def test_plain_files_read_again_are_the_same_scores(
    tmp_path_factory: pytest.TempPathFactory, table: ScoreTable
) -> None:
    again = read_plain(*write_plain(table, tmp_path_factory.mktemp("text")), nan_is_failure=True)
    for kind in KINDS[:2]:
        assert (again.of(kind).scores == table.of(kind).scores).all()
