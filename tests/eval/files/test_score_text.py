"""Text as other tools write it: what is read against a naive reader, and the line that every mistake is named by."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.files.score_text import read_idiap, read_plain
from eval.trials import KINDS, ScoreTable, TrialKind

GENUINE, RANDOM, SKILLED = range(3)


def idiap(folder: Path, text: str, **options: object) -> ScoreTable:
    (folder / "scores.txt").write_text(text, encoding="utf-8")
    return read_idiap(folder / "scores.txt", **options)  # type: ignore[arg-type]


def plain(folder: Path, genuine: str, impostor: str, **options: object) -> ScoreTable:
    (folder / "g.txt").write_text(genuine, encoding="utf-8")
    (folder / "i.txt").write_text(impostor, encoding="utf-8")
    return read_plain(folder / "g.txt", folder / "i.txt", **options)  # type: ignore[arg-type]


def test_four_columns_tell_claim_source_and_probe(tmp_path: Path) -> None:
    table = idiap(tmp_path, "ann ann a/1 2.5\nann bob b/1 -1e-3\nbob bob b/1 +3\ncid cid c/1 -inf\n")
    assert table.people == ("ann", "bob", "cid")
    assert table.samples == ("a/1", "b/1", "c/1")
    assert table.kind.tolist() == [GENUINE, RANDOM, GENUINE, GENUINE]
    assert table.scores.tolist() == [2.5, -1e-3, 3.0, -np.inf]
    assert table.claim.tolist() == [0, 0, 1, 2]
    assert table.probe.tolist() == [0, 1, 1, 2]
    assert table.draw.tolist() == [0, 0, 0, 0]
    assert table.source is not None
    assert table.source.tolist() == [0, 1, 1, 2]
    assert table.model_digest == ""


def test_templates_of_five_columns_become_draws_of_their_person(tmp_path: Path) -> None:
    table = idiap(
        tmp_path, "ann m7 ann x 1\nann m9 ann x 2\nbob m8 bob y 3\nbob m8 ann x 4\nann m7 bob y 5\nbob m9 bob y 6\n"
    )
    assert table.draw.tolist() == [0, 1, 0, 0, 0, 1]


def test_impostors_are_of_the_kind_that_the_caller_states(tmp_path: Path) -> None:
    table = idiap(tmp_path, "ann ann x 1\nann unknown y 2\n", kind=TrialKind.SKILLED)
    assert table.kind.tolist() == [GENUINE, SKILLED]
    assert table.people == ("ann",)
    assert table.source is not None
    assert table.source.tolist() == [0, -1]


def test_a_person_called_unknown_can_be_claimed(tmp_path: Path) -> None:
    table = idiap(tmp_path, "unknown unknown x 1\nann unknown x 2\nann ann y 3\n")
    assert table.kind.tolist() == [GENUINE, RANDOM, GENUINE]
    assert table.source is not None
    assert table.source.tolist() == [0, -1, 1]


def test_a_label_of_two_people_is_two_probes(tmp_path: Path) -> None:
    table = idiap(tmp_path, "ann ann 1.png 1\nann bob 1.png 2\nbob bob 1.png 3\n")
    assert table.samples == ("ann/1.png", "bob/1.png")
    assert table.probe.tolist() == [0, 1, 1]


def test_spaces_tabs_comments_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    tidy = idiap(tmp_path, "ann ann x 1\nann bob y 2\n")
    loose = "\ufeff# claimed real label score\n\n  ann\tann   x 1   # the first\r\n#ann bob y 9\nann bob y  2\n\n"
    for text in (loose, "ann ann x 1\n# a b 9\nann bob y 2", "ann ann x 1\r\nann bob y 2\r\n"):
        table = idiap(tmp_path, text)
        assert (table.people, table.samples) == (tidy.people, tidy.samples)
        assert (table.scores.tolist(), table.kind.tolist()) == ([1.0, 2.0], [GENUINE, RANDOM])


def test_quotation_marks_are_part_of_a_name(tmp_path: Path) -> None:
    assert idiap(tmp_path, 'o"neill o"neill "x 1\n"a b x 2\n').people == ('o"neill', '"a', "b")


def test_plain_files_are_anonymous(tmp_path: Path) -> None:
    table = plain(tmp_path, "1\n2\n\n", "# impostors\n-1\n -2\t\n0\n")
    assert table.scores.tolist() == [1, 2, -1, -2, 0]
    assert table.kind.tolist() == [GENUINE] * 2 + [RANDOM] * 3
    assert all(table.of(kind).is_anonymous for kind in (TrialKind.GENUINE, TrialKind.RANDOM))
    assert plain(tmp_path, "1\n", "2\n", kind=TrialKind.SKILLED).kind.tolist() == [GENUINE, SKILLED]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no scores"),
        ("# nothing\n\n", "holds no scores"),
        ("a a x 1\n" * 2, "trials occur twice .* such as that of 'a' by 'x'"),
        ("0 1 2 3 4 5 6 7 8 9\n", r"line 1: 10 columns where 4 or 5 are meant \(claimed_id real_id test_label score"),
        ("\n0.5\n", "line 2: 1 columns .*--genuine and --impostor"),
        ("a a x 1\n\na b y 2 3\n", "line 3: 5 columns where the lines before have 4"),
        ("a a x 1\na b\n", "line 2: 2 columns where the lines before have 4"),
        ("a a x 1\n\n# note\na b y high\n", "line 4: the last column is a word where a score is meant"),
        ("a a x 1_0\n", "line 1: the last column is a word"),
        ("a a x 0x1p3\n", "line 1: the last column is a word"),
        ("a a x 1\n\na b y nan\n", r"line 3: the score is NaN \(use --nan-fails"),
        ("a a x 1\n\na b y inf\n", r"line 3: the score is \+inf"),
        ("a,a,x,1\n", "line 1: 1 columns"),
    ],
)
def test_mistakes_are_named_by_their_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(TrialsError, match=match):
        idiap(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a a x 1\n", r"i.txt: line 1: 4 columns where 1 is meant \(one score a line; give Idiap's"),
        ("1\n2 3\n", "i.txt: line 2: 2 columns"),
        ("1\nhigh\n", "i.txt: line 2: the last column is a word"),
        ("1\n\nNaN\n", "i.txt: line 3: the score is NaN"),
        ("", "i.txt: the file holds no scores"),
    ],
)
def test_mistakes_in_plain_files_name_the_file(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(TrialsError, match=match):
        plain(tmp_path, "1\n", text)


def test_nan_may_be_taken_for_a_failure(tmp_path: Path) -> None:
    assert idiap(tmp_path, "a a x 1\na b y nan\n", nan_is_failure=True).scores.tolist() == [1.0, -np.inf]
    assert plain(tmp_path, "1\nNaN\n", "0\n", nan_is_failure=True).scores.tolist() == [1.0, -np.inf, 0.0]


def test_files_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_bytes(b"\xff\xfe a x 1\n")
    with pytest.raises(TrialsError, match="not UTF-8"):
        read_idiap(tmp_path / "s.txt")
    with pytest.raises(TrialsError, match=r"absent\.txt cannot be read"):
        read_idiap(tmp_path / "absent.txt")


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#_"), min_size=1, max_size=3)


@given(
    st.lists(
        st.tuples(WORD, WORD, WORD, st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=12,
        unique_by=lambda row: (row[0], row[1], row[2]),
    ),
    st.sampled_from([" ", "  ", "\t"]),
)
def test_it_reads_what_a_naive_reader_does(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, float]], space: str
) -> None:
    path = tmp_path_factory.mktemp("text") / "scores.txt"
    path.write_text("".join(space.join([*row[:3], repr(row[3])]) + "\n" for row in rows))
    table = read_idiap(path)
    for index, (claimed, real, label, score) in enumerate(rows):
        assert table.people[table.claim[index]] == claimed
        assert table.source is not None
        assert table.people[table.source[index]] == real
        assert table.samples[table.probe[index]].removeprefix(f"{real}/") in (label, label.removeprefix(f"{real}/"))
        assert KINDS[table.kind[index]] is (TrialKind.GENUINE if claimed == real else TrialKind.RANDOM)
        assert table.scores[index] == score
    assert len(table) == len(rows)
