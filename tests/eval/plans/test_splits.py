"""Splits of people: nobody on both sides, whatever the seed, and nobody changing sides without a reason."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import CorpusInvalid, CorpusOverlap, FieldInvalid, TrialsError
from eval.corpora.corpus import Row
from eval.corpora.manifest import read_manifest
from eval.plans.splits import (
    Split,
    SplitChoice,
    split_by_column,
    split_by_folds,
    split_by_list,
    split_by_share,
    without_training,
)
from eval.results.results import SplitFacts

PEOPLE = tuple(f"p{number:02}" for number in range(40))


def rows(**splits: str) -> list[Row]:
    """Rows by person: ``ann="development test"`` is a row in each."""
    return [
        Row(id=f"{person}/{number}", path=Path("absent"), person=person, split=split.replace("-", "") or None)
        for person, several in splits.items()
        for number, split in enumerate(several.split())
    ]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=5), min_size=60, max_size=70), st.floats(0.4, 0.6), st.integers(0, 10**6))
def test_a_share_puts_everyone_on_one_side_for_good(names: set[str], share: float, seed: int) -> None:
    people = sorted(names)
    split = split_by_share(people, share, seed)
    (part,) = split.parts
    assert (part.development ^ part.test).all()
    assert split_by_share(people[::2], share, seed).labels == split.labels[::2]
    larger = split_by_share(people, share + 0.1, seed)
    assert all(
        after == "development"
        for before, after in zip(split.labels, larger.labels, strict=True)
        if before == "development"
    )


def test_a_share_is_about_that_share_and_follows_the_seed() -> None:
    people = [f"person {number}" for number in range(4_000)]
    first, same, other = (split_by_share(people, 0.3, seed) for seed in (0, 0, 1))
    assert first == same
    assert first.labels != other.labels
    assert 1_084 < first.labels.count("development") < 1_316  # four standard deviations about 1,200


@settings(max_examples=50, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=5), min_size=14, max_size=50), st.integers(2, 7), st.integers(0, 10**6))
def test_folds_partition_people_evenly(names: set[str], folds: int, seed: int) -> None:
    people = sorted(names)
    split = split_by_folds(people, folds, seed)
    sizes = [split.labels.count(f"fold {fold + 1}") for fold in range(folds)]
    assert sum(sizes) == len(people)
    assert max(sizes) - min(sizes) <= 1
    assert len(split.parts) == folds
    assert sum(part.test.astype(int) for part in split.parts).tolist() == [1] * len(people)
    assert all((part.development ^ part.test).all() for part in split.parts)
    reordered = split_by_folds(people[::-1], folds, seed)
    assert reordered.labels == split.labels[::-1]


def test_the_column_is_taken_at_its_word_and_training_people_are_left_out() -> None:
    corpus = rows(ann="test test", bo="development", cy="train training", di="test", ed="development development")
    split = split_by_column(corpus, ("ann", "bo", "cy", "di", "ed"))
    assert split.labels == ("test", "development", "", "test", "development")
    assert split.facts == SplitFacts(
        rule="the split column of the manifest", folds=1, development_people=2, test_people=2
    )
    assert {row.person for row in without_training(corpus)} == {"ann", "bo", "di", "ed"}


@pytest.mark.parametrize("both", ["development test", "test train", "training development"])
def test_a_person_on_both_sides_is_refused(both: str) -> None:
    corpus = rows(ann=both, bo="development", cy="test", di=f"{both} test", ed="development", fay="test")
    with pytest.raises(CorpusOverlap, match=r"people in more than one part: 2; the first is 'ann'") as caught:
        split_by_column(corpus, ("ann", "bo", "cy", "di", "ed", "fay"))
    assert caught.value.field == "split"
    with pytest.raises(CorpusOverlap, match=r"people in more than one part: 2"):
        without_training(corpus)


def test_a_manifest_with_a_person_on_both_sides_is_readable_but_not_splittable(tmp_path: Path) -> None:
    lines = ["path,person,modality,kind,split", "1.png,ann,face,genuine, development ", "2.png,ann,face,forgery,test"]
    (tmp_path / "people.csv").write_text("\n".join(lines), encoding="utf-8")
    corpus = read_manifest(tmp_path / "people.csv", name="people")
    assert [row.split for row in corpus.rows] == ["development", "test"]
    with pytest.raises(CorpusOverlap, match="people in more than one part: 1"):
        split_by_column(corpus.rows, corpus.people)


def test_gaps_and_unknown_parts_are_refused() -> None:
    with pytest.raises(CorpusInvalid, match="sample 'bo/0' is in no part"):
        split_by_column(rows(ann="test", bo="-"), ("ann", "bo"))
    with pytest.raises(CorpusInvalid, match="sample 'bo/0' is in the part 'Test'"):
        split_by_column(rows(ann="test", bo="Test"), ("ann", "bo"))


def test_a_side_of_fewer_than_two_people_is_refused() -> None:
    with pytest.raises(TrialsError, match="fewer than two people"):
        split_by_column(rows(ann="test", bo="development", cy="test"), ("ann", "bo", "cy"))
    with pytest.raises(TrialsError, match="fewer than two people"):
        split_by_folds(PEOPLE[:5], 3, seed=0)
    with pytest.raises(TrialsError, match=r"found are 'test'"):
        Split(("test", "test", ""), "by hand")


def test_a_list_has_its_own_folds_and_nobody_in_two() -> None:
    folds = {"fold 10": {"ann", "bo"}, "fold 2": {"cy", "di"}}
    split = split_by_list(folds, ("ann", "bo", "cy", "di", "ed"))
    assert split.labels == ("fold 10", "fold 10", "fold 2", "fold 2", "")
    assert [part.test.tolist() for part in split.parts] == [
        [False, False, True, True, False],
        [True, True, False, False, False],
    ]
    assert not any(part.development[4] for part in split.parts)
    assert (split.facts.folds, split.facts.development_people, split.facts.test_people) == (2, 2, 4)
    with pytest.raises(CorpusOverlap, match=r"people .* the first is 'bo', in fold 2 and fold 10"):
        split_by_list({"fold 10": {"ann", "bo"}, "fold 2": {"bo", "di"}}, ("ann", "bo", "di"))
    with pytest.raises(TrialsError, match="two folds or more; found are none"):
        split_by_list({}, ("ann", "bo"))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("column", SplitChoice("column")),
        ("list", SplitChoice("list")),
        ("development=0.25", SplitChoice("share", share=0.25)),
        ("folds=10", SplitChoice("folds", folds=10)),
    ],
)
def test_a_way_to_split_is_written_in_one_word(text: str, choice: SplitChoice) -> None:
    assert SplitChoice.parse(text) == choice


@pytest.mark.parametrize(
    "text", ["", "test", "column=x", "folds", "folds=1", "folds=2.5", "development=1", "development=nan", "share=0.5"]
)
def test_any_other_word_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        SplitChoice.parse(text)
    assert caught.value.field == "split"
