"""One choice for the three ways in which trials come about, and for the ways to split people."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encode.errors import CorpusInvalid, FieldInvalid
from eval.corpora.corpus import Corpus
from eval.plans.leave_one_out import derive_leave_one_out
from eval.plans.plan import Plan
from eval.plans.plan_choice import PlanChoice, Rule, check_choice, derive_plan, rows_of, split_of
from eval.plans.protocol import Protocol, derive
from eval.plans.splits import SplitChoice
from eval.plans.trial_list import plan_of_list
from eval.plans.trial_pairs import read_pairs
from eval.plans.trial_tables import read_trial_tables
from eval.results.results import ProtocolFacts

MakeCorpus = Callable[..., Corpus]
PROTOCOL = Protocol(references=3, draws=2, seed=5)


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Corpus:
    rows = make_corpus(people=6, samples=5).rows
    return Corpus("rows", (replace(row, split="test" if row.person > "p002" else "development") for row in rows))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    lines = ["3\t1"]
    for first in (0, 2, 4):
        lines += [f"p00{first}\t0\t1", f"p00{first}\t0\tp00{first + 1}\t3"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "pairs.txt"


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "enroll.csv").write_text("template,person,sample\nA,p000,p000/g00\n", encoding="utf-8")
    (tmp_path / "probe.csv").write_text("template,sample\nA,p000/g01\nA,p001/g01\n", encoding="utf-8")
    return tmp_path / "enroll.csv", tmp_path / "probe.csv"


def same(one: Plan, other: Plan) -> bool:
    return str(one) == str(other)


def test_a_choice_gives_the_plan_of_its_rule(corpus: Corpus, pairs: Path, tables: tuple[Path, Path]) -> None:
    rows, usable = corpus.rows, np.arange(30) != 7
    expected = {
        PlanChoice(protocol=PROTOCOL): derive(rows, PROTOCOL, usable),
        PlanChoice(Rule.LEAVE_ONE_OUT, PROTOCOL, most_references=3): derive_leave_one_out(
            rows, PROTOCOL, usable, most_references=3, minimum=1
        ),
        PlanChoice(Rule.TRIAL_LIST, files=(pairs,)): plan_of_list(rows, read_pairs(pairs, rows), usable),
        PlanChoice(Rule.TRIAL_LIST, files=tables): plan_of_list(rows, read_trial_tables(*tables, rows), usable),
    }
    plans = list(expected.values())
    assert all(same(derive_plan(rows, choice, usable), plan) for choice, plan in expected.items())
    assert not any(same(one, other) for one in plans for other in plans if one is not other)


def test_the_models_minimum_reaches_leave_one_out(corpus: Corpus) -> None:
    usable = np.array([row.person != "p001" or row.order < 3 for row in corpus.rows])
    plan = derive_plan(corpus.rows, PlanChoice(Rule.LEAVE_ONE_OUT), usable, minimum=3)
    assert plan.failed_to_enroll == ("p001",)


@pytest.mark.parametrize(
    ("way", "labels"),
    [
        ("column", ["development"] * 3 + ["test"] * 3),
        ("list", ["fold 1"] * 2 + ["fold 2"] * 2 + ["fold 3"] * 2),
        ("folds=3", None),
        ("development=0.5", None),
    ],
)
def test_people_are_split_as_asked_for(corpus: Corpus, pairs: Path, way: str, labels: list[str] | None) -> None:
    choice = PlanChoice(Rule.TRIAL_LIST, PROTOCOL, files=(pairs,), split=SplitChoice.parse(way))
    check_choice(corpus.rows, choice)
    plan = derive_plan(corpus.rows, choice, np.ones(30, bool))
    split = split_of(corpus.rows, choice, plan)
    assert split is not None
    assert len(split.labels) == len(plan.people)
    assert len(split.parts) == (3 if (labels is None and way != "development=0.5") or way == "list" else 1)
    assert labels is None or list(split.labels) == labels
    assert split_of(corpus.rows, replace(choice, split=None), plan) is None


def test_people_who_trained_the_model_are_not_measured_by_the_column(corpus: Corpus) -> None:
    rows = [replace(row, split="training") if row.person == "p004" else row for row in corpus.rows]
    by_column = PlanChoice(split=SplitChoice("column"))
    assert {row.person for row in rows_of(rows, by_column)} == set(corpus.people) - {"p004"}
    assert list(rows_of(rows, PlanChoice(split=SplitChoice("folds")))) == rows
    assert list(rows_of(rows, PlanChoice())) == rows


def test_what_is_wrong_is_told_before_anything_is_embedded(corpus: Corpus, pairs: Path) -> None:
    pairs.write_text(pairs.read_text().replace("p005\t3", "p005\t8"))
    with pytest.raises(CorpusInvalid, match="no sample 8 of 'p005'"):
        check_choice(corpus.rows, PlanChoice(Rule.TRIAL_LIST, files=(pairs,)))


def test_the_facts_are_fields_of_the_results(pairs: Path) -> None:
    kept = {"interval": "none", "confidence": 0.95, "replicates": 1}
    drawn = ProtocolFacts(**PlanChoice(protocol=PROTOCOL).facts(), **kept)
    assert (drawn.rule, drawn.references, drawn.draws, drawn.seed) == ("references", 3, 2, 5)
    assert drawn.impostors_per_person == PROTOCOL.impostors_per_person
    left_out = ProtocolFacts(**PlanChoice(Rule.LEAVE_ONE_OUT, PROTOCOL).facts(), **kept)
    assert (left_out.rule, left_out.references, left_out.draws, left_out.seed) == ("leave one out", None, None, 5)
    listed = ProtocolFacts(**PlanChoice(Rule.TRIAL_LIST, PROTOCOL, files=(pairs,)).facts(), **kept)
    assert (listed.rule, listed.impostors_per_person) == ("trial list", None)
    assert listed.note.startswith("pairs.txt (SHA-256 ")
    assert str(pairs.parent) not in listed.note


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"rule": Rule.TRIAL_LIST}, "files"),
        ({"rule": Rule.TRIAL_LIST, "files": (Path("a"), Path("b"), Path("c"))}, "files"),
        ({"files": (Path("pairs.txt"),)}, "files"),
        ({"rule": Rule.LEAVE_ONE_OUT, "split": SplitChoice("list")}, "split"),
        ({"most_references": 3}, "most_references"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(choice: dict[str, object], field: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        PlanChoice(**choice)
    assert caught.value.field == field
