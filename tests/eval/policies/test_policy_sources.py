"""Whose scores set thresholds: parts of a split are kept apart in both roles of a person."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encode.bundle import Bundle
from encode.errors import CorpusOverlap, FieldMissing, PolicyMismatch, TrialsError
from eval.corpora.corpus import Corpus
from eval.files.score_file import SCORES, write_scores
from eval.policies.policy_sources import development_corpus, development_scores
from eval.trials import ScoreTable

MakeCorpus = Callable[..., Corpus]
SPLITS = ("development", "development", "development", "test", "test", "")


@pytest.fixture(scope="module")
def bundle(seal_tiny: Callable[..., Bundle], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seal_tiny(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def save(bundle: Bundle, tmp_path: Path, measured: dict[str, dict[str, object]]) -> Callable[[ScoreTable], Path]:
    """``save(table)``: a folder of scores of the bundle's model, with a results.json beside them."""
    import json

    def write(table: ScoreTable) -> Path:
        write_scores(replace(table, model_digest=bundle.model_digest), tmp_path / SCORES)
        measured["bundle"]["model_digest"] = bundle.model_digest
        (tmp_path / "results.json").write_text(json.dumps(measured))
        return tmp_path

    return write


@pytest.fixture
def table(make_table: Callable[..., ScoreTable]) -> ScoreTable:
    """Six people, each claimed by everybody else once and by a forger; half of them are for development."""
    people = len(SPLITS)
    made = make_table(
        genuine=np.ones((people, 2)), random=np.zeros((people, people - 1)), skilled=np.zeros((people, 1))
    )
    others = np.concatenate([np.delete(np.arange(people), person) for person in range(people)])
    source = np.concatenate([np.repeat(np.arange(people), 2), others, np.full(people, -1)]).astype(np.int32)
    return replace(made, source=source, splits=SPLITS)


def test_no_test_person_is_claimed_or_acts_as_an_impostor(
    save: Callable[[ScoreTable], Path], bundle: Bundle, table: ScoreTable
) -> None:
    found = development_scores(save(table), bundle)
    inside = {person for person, split in zip(table.people, SPLITS, strict=True) if split == "development"}
    kept = found.table
    assert {kept.people[claim] for claim in kept.claim} == inside
    assert {kept.people[source] for source in kept.source if source >= 0} == inside
    assert {kind.value: count for kind, count in kept.counts.items()} == {"genuine": 6, "random": 6, "skilled": 3}
    assert found.corpus_name == "people (development)"
    assert found.references == 5


def test_everybody_takes_part_where_that_is_asked_or_nobody_is_split(
    save: Callable[[ScoreTable], Path], bundle: Bundle, table: ScoreTable
) -> None:
    assert len(development_scores(save(table), bundle, "all").table) == len(table)
    assert len(development_scores(save(replace(table, splits=None)), bundle).table) == len(table)


def test_scores_that_do_not_tell_the_impostors_cannot_be_parted(
    save: Callable[[ScoreTable], Path], bundle: Bundle, table: ScoreTable
) -> None:
    with pytest.raises(TrialsError, match="who made the probes"):
        development_scores(save(replace(table, source=None)), bundle)


def test_a_person_in_two_parts_is_refused(bundle: Bundle, make_corpus: MakeCorpus) -> None:
    rows = [
        replace(row, split="test" if row.person == "p000" and row.order == 0 else "development")
        for row in make_corpus(people=4, samples=3).rows
    ]
    with pytest.raises(CorpusOverlap, match="people in more than one part: 1; the first is 'p000'"):
        development_corpus(Corpus("people", rows), bundle)
    assert len(development_corpus(Corpus("people", rows), bundle, "all").people) == 4


def test_test_and_training_people_set_no_threshold_unasked(
    save: Callable[[ScoreTable], Path], bundle: Bundle, table: ScoreTable, make_corpus: MakeCorpus
) -> None:
    rows = [replace(row, split="test" if row.person == "p000" else "train") for row in make_corpus(people=4).rows]
    with pytest.raises(FieldMissing, match="some are for test and train, and nobody is for development"):
        development_corpus(Corpus("people", rows), bundle)
    assert len(development_corpus(Corpus("people", rows), bundle, "train").people) == 3
    with pytest.raises(FieldMissing, match="some are for test, and nobody"):
        development_scores(save(replace(table, splits=("test",) * 6)), bundle)
    folds = replace(table, splits=("fold 1", "fold 2") * 3)
    assert len(development_scores(save(folds), bundle).table) == len(folds)


def test_scores_that_name_no_model_set_no_policy(bundle: Bundle, table: ScoreTable, tmp_path: Path) -> None:
    write_scores(replace(table, model_digest=""), tmp_path / SCORES)
    with pytest.raises(PolicyMismatch, match="do not tell which model made them"):
        development_scores(tmp_path, bundle)
