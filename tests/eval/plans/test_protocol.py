"""Derived trials: who is claimed, with which references, by which probes."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import CorpusInvalid, FieldInvalid, TrialsError
from eval.corpora.corpus import Corpus, Row
from eval.plans.plan import Claim, Plan
from eval.plans.protocol import Protocol, derive

MakeCorpus = Callable[..., Corpus]


def named(plan: Plan) -> list[tuple[object, ...]]:
    """The claims by identifiers, comparable between plans."""
    return [
        (
            plan.people[claim.person],
            claim.draw,
            *([plan.samples[index] for index in column] for column in columns(claim)),
        )
        for claim in plan.claims
    ]


def columns(claim: Claim) -> tuple[np.ndarray, ...]:
    return claim.references, claim.genuine, claim.random, claim.skilled


def all_usable(corpus: Corpus) -> np.ndarray:
    return np.ones(len(corpus), dtype=bool)


def test_every_claim_splits_the_persons_samples(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=6, samples=8, forgeries=3)
    plan = derive(corpus.rows, Protocol(references=5, draws=4), all_usable(corpus))
    assert len(plan.claims) == 6 * 4
    for claim in plan.claims:
        person = plan.people[claim.person]
        own = {row.id for row in corpus.genuine(person)}
        references, genuine, random, skilled = ({plan.samples[i] for i in column} for column in columns(claim))
        assert len(references) == 5
        assert references | genuine == own
        assert not references & genuine
        assert random == {row.id for row in corpus.rows if row.person != person and row.kind == "genuine"}
        assert skilled == {row.id for row in corpus.forgeries(person)}


def test_draws_of_one_person_differ_and_are_no_more_than_there_are(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=3, samples=6)
    plan = derive(corpus.rows, Protocol(references=5, draws=10), all_usable(corpus))
    for person in range(3):
        drawn = {claim.references.tobytes() for claim in plan.claims if claim.person == person}
        assert len(drawn) == len([claim for claim in plan.claims if claim.person == person]) == math.comb(6, 5)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(24)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    corpus = _corpus(people=4, samples=6)
    usable = np.ones(24, dtype=bool)
    usable[[3, 7]] = False
    protocol = Protocol(references=2, draws=3, impostors_per_person=5)
    shuffled = derive([corpus.rows[index] for index in order], protocol, usable[order])
    assert named(shuffled) == named(derive(corpus.rows, protocol, usable))


def test_a_persons_references_do_not_depend_on_the_others(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=6, samples=8)
    fewer = corpus.only(corpus.people[:3])
    plans = [derive(each.rows, Protocol(draws=3), all_usable(each)) for each in (corpus, fewer)]
    references = [{(row[0], row[1]): row[2] for row in named(plan)} for plan in plans]
    assert references[1].items() <= references[0].items()


def test_the_seed_decides(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=4, samples=8)
    first, same, other = (named(derive(corpus.rows, Protocol(seed=s), all_usable(corpus))) for s in (0, 0, 1))
    assert first == same
    assert first != other


def test_impostors_are_capped_by_a_sample_of_them(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=10, samples=7)
    plan = derive(corpus.rows, Protocol(impostors_per_person=20), all_usable(corpus))
    for claim in plan.claims:
        assert len(set(claim.random.tolist())) == len(claim.random) == 20
        assert not set(claim.random.tolist()) & {*claim.references.tolist(), *claim.genuine.tolist()}
    assert len({claim.random.tobytes() for claim in plan.claims}) == len(plan.claims)
    uncapped = derive(corpus.rows, Protocol(impostors_per_person=None), all_usable(corpus))
    assert all(len(claim.random) == 9 * 7 for claim in uncapped.claims)


@pytest.mark.parametrize("samples", [1, 3])
def test_a_few_samples_of_each_other_person_are_drawn_anew_in_each_draw(make_corpus: MakeCorpus, samples: int) -> None:
    corpus = make_corpus(people=6, samples=7, forgeries=2)
    owner = {row.id: row.person for row in corpus.rows}
    genuine = {row.id for row in corpus.rows if row.kind == "genuine"}
    plan = derive(corpus.rows, Protocol(draws=8, impostor_samples=samples), all_usable(corpus))
    for person, _, _, _, random, skilled in named(plan):
        assert Counter(owner[probe] for probe in random) == dict.fromkeys(set(corpus.people) - {person}, samples)
        assert len(set(random)) == len(random)
        assert set(random) <= genuine
        assert len(skilled) == 2
    assert len({claim.random.tobytes() for claim in plan.claims}) > len(plan.claims) // 2
    assert named(plan) == named(
        derive(corpus.rows[::-1], Protocol(draws=8, impostor_samples=samples), all_usable(corpus))
    )


def test_each_sample_of_another_person_is_as_likely_to_be_drawn() -> None:
    corpus = _corpus(people=2, samples=8)
    drawn: Counter[str] = Counter()
    for seed in range(200):
        plan = derive(corpus.rows, Protocol(draws=10, seed=seed, impostor_samples=1), np.ones(16, dtype=bool))
        drawn.update(plan.samples[claim.random[0]] for claim in plan.claims)
    assert len(drawn) == 16
    assert sum(drawn.values()) == 4_000
    assert all(190 < count < 315 for count in drawn.values())  # four standard deviations about 250


def test_people_with_fewer_samples_than_are_asked_for_give_all_of_them() -> None:
    rows = [*_corpus(people=3, samples=6).rows, Row(id="lone", path=Path("absent"), person="q")]
    plan = derive(rows, Protocol(draws=1, impostor_samples=4), np.ones(19, dtype=bool))
    assert [len(claim.random) for claim in plan.claims] == [4 + 4 + 1] * 3
    capped = derive(rows, Protocol(draws=1, impostor_samples=4, impostors_per_person=5), np.ones(19, dtype=bool))
    for claim, whole in zip(capped.claims, plan.claims, strict=True):
        assert len(claim.random) == 5
        assert set(claim.random) <= set(whole.random)


def test_without_a_pool_references_are_what_the_corpus_offers(make_corpus: MakeCorpus) -> None:
    rows = [
        replace(row, may_enroll=row.order not in (2, 5)) for row in make_corpus(people=3, samples=8, forgeries=2).rows
    ]
    plan = derive(rows, Protocol(references=4, draws=50), np.ones(len(rows), dtype=bool))
    assert len(plan.claims) == 3 * math.comb(6, 4)
    for person, _, references, genuine, _, skilled in named(plan):
        assert not {f"{person}/g02", f"{person}/g05"} & set(references)
        assert {f"{person}/g02", f"{person}/g05"} < set(genuine)
        assert len(references) + len(genuine) == 8
        assert len(skilled) == 2
    everything = derive(rows, Protocol(references=4, draws=100, reference_pool=99), np.ones(len(rows), dtype=bool))
    assert len(everything.claims) == 3 * math.comb(8, 4)


def test_too_few_samples_that_may_be_references_are_too_few() -> None:
    rows = [replace(row, may_enroll=row.person == "p0" or row.order > 5) for row in _corpus(people=2, samples=8).rows]
    plan = derive(rows, Protocol(references=3, draws=1), np.ones(16, dtype=bool))
    assert plan.too_few_samples == ("p1",)
    assert [plan.people[claim.person] for claim in plan.claims] == ["p0"]


def test_references_come_from_the_pool_and_the_rest_are_probes(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=3, samples=9)
    plan = derive(corpus.rows, Protocol(references=3, draws=50, reference_pool=4), all_usable(corpus))
    order = {row.id: row.order for row in corpus.rows}
    assert len(plan.claims) == 3 * math.comb(4, 3)
    for claim in plan.claims:
        assert all(order[plan.samples[index]] < 4 for index in claim.references)
        assert len(claim.genuine) == 6


def test_the_pool_follows_the_corpus_order_not_the_ids(make_corpus: MakeCorpus) -> None:
    rows = [replace(row, order=100 - row.order) for row in make_corpus(people=2, samples=6).rows]
    plan = derive(rows, Protocol(references=2, draws=9, reference_pool=2), np.ones(12, dtype=bool))
    assert [row[2] for row in named(plan)] == [["p000/g04", "p000/g05"], ["p001/g04", "p001/g05"]]


def test_a_pool_without_an_order_is_refused(make_corpus: MakeCorpus) -> None:
    rows = [replace(row, order=None) for row in make_corpus(people=2, samples=6).rows]
    with pytest.raises(CorpusInvalid, match="has no order"):
        derive(rows, Protocol(references=2, reference_pool=3), np.ones(12, dtype=bool))


def test_people_with_too_few_samples_only_act_as_impostors(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=4, samples=6)
    rows = [row for row in corpus.rows if not (row.person == "p003" and row.order > 0)]
    plan = derive(rows, Protocol(references=5, draws=1), np.ones(len(rows), dtype=bool))
    assert plan.too_few_samples == ("p003",)
    assert plan.failed_to_enroll == ()
    assert {plan.people[claim.person] for claim in plan.claims} == {"p000", "p001", "p002"}
    assert all("p003/g00" in {plan.samples[i] for i in claim.random} for claim in plan.claims)


def test_unusable_references_are_replaced_and_unusable_probes_stay(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=2, samples=8)
    bad = {"p000/g01", "p000/g05"}
    usable = np.array([row.id not in bad for row in corpus.rows])
    plan = derive(corpus.rows, Protocol(references=4, draws=15), usable)
    presented_bad = probed_bad = 0
    for claim in plan.claims[:15]:
        references = {plan.samples[index] for index in claim.references}
        genuine = {plan.samples[index] for index in claim.genuine}
        assert len(references) == 4
        assert not references & bad
        assert not genuine & references
        presented_bad += len(bad - genuine)
        probed_bad += len(bad & genuine)
    assert presented_bad > 0
    assert probed_bad > 0
    assert plan.failed_to_enroll == ()


def test_a_person_without_enough_usable_samples_fails_to_enroll(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=3, samples=6)
    usable = np.array([row.person != "p001" or row.order < 3 for row in corpus.rows])
    plan = derive(corpus.rows, Protocol(references=4, draws=2), usable)
    assert plan.failed_to_enroll == ("p001",)
    assert plan.too_few_samples == ()
    assert {plan.people[claim.person] for claim in plan.claims} == {"p000", "p002"}


def test_a_corpus_in_which_nobody_can_be_claimed_is_refused(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=3, samples=5)
    with pytest.raises(TrialsError, match="nobody has the 6 genuine samples"):
        derive(corpus.rows, Protocol(references=5), all_usable(corpus))


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"references": 0}, "references"),
        ({"draws": 0}, "draws"),
        ({"seed": -1}, "seed"),
        ({"references": 5, "reference_pool": 4}, "reference_pool"),
        ({"impostors_per_person": 0}, "impostors_per_person"),
        ({"impostor_samples": 0}, "impostor_samples"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(choice: dict[str, int], field: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        Protocol(**choice)
    assert caught.value.field == field


def _corpus(people: int, samples: int) -> Corpus:
    return Corpus(
        "rows only",
        [
            Row(id=f"p{person}/{index}", path=Path("absent"), person=f"p{person}", order=index)
            for person in range(people)
            for index in range(samples)
        ],
    )
