"""Every sample probes a template of the person's others, once, and impostors meet the same templates."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import CorpusInvalid, FieldInvalid, TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.plans.leave_one_out import derive_leave_one_out
from eval.plans.plan import Plan
from eval.plans.protocol import Protocol
from eval.scoring import acquire, score
from eval.trials import TrialKind
from verify.verifier import Verifier

MakeCorpus, MakeVerifier = Callable[..., Corpus], Callable[..., Verifier]
ALL = Protocol(impostors_per_person=None)


def usable_but(corpus: Corpus, *bad: str) -> np.ndarray:
    return np.array([row.id not in bad for row in corpus.rows])


def named(plan: Plan, indices: np.ndarray) -> set[str]:
    return {plan.samples[index] for index in indices}


def test_every_sample_probes_all_the_others_once(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=3, samples=5, forgeries=2)
    plan = derive_leave_one_out(corpus.rows, ALL, usable_but(corpus))
    assert len(plan.claims) == 3 * 5
    for index, person in enumerate(plan.people):
        claims = [claim for claim in plan.claims if claim.person == index]
        assert [claim.draw for claim in claims] == [0, 1, 2, 3, 4]
        own = {row.id for row in corpus.genuine(person)}
        assert sorted(sample for claim in claims for sample in named(plan, claim.genuine)) == sorted(own)
        for claim in claims:
            assert named(plan, claim.references) == own - named(plan, claim.genuine)
            assert named(plan, claim.skilled) == {row.id for row in corpus.forgeries(person)}
            assert named(plan, claim.random) == {
                row.id for row in corpus.rows if row.kind == "genuine" and row.person != person
            }


def test_scores_are_those_of_a_loop_that_leaves_one_out(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    """The naive twin: nothing but two nested loops over the samples, in their own order."""
    corpus, verifier = make_corpus(people=3, samples=4), make_verifier()
    acquired = acquire(corpus.rows, verifier, Modality.FACE, quiet=True)
    plan = derive_leave_one_out(corpus.rows, ALL, acquired.usable)
    table = score(plan, acquired, verifier, Modality.FACE, "d" * 64, quiet=True)
    x, owner = acquired.embeddings, np.repeat([0, 1, 2], 4)
    genuine, random = [], []
    for left_out in range(12):
        rest = [other for other in range(12) if owner[other] == owner[left_out] and other != left_out]
        person = verifier.fit(Modality.FACE, x[rest])
        genuine += list(verifier.llr(Modality.FACE, person, x[[left_out]]))
        random += list(verifier.llr(Modality.FACE, person, x[owner != owner[left_out]]))
    assert table.of(TrialKind.GENUINE).scores == pytest.approx(genuine, abs=1e-12)
    assert table.of(TrialKind.RANDOM).scores == pytest.approx(random, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    samples=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    bad=st.sets(st.integers(0, 29), max_size=12),
    most=st.none() | st.integers(2, 4),
    seed=st.integers(0, 5),
)
def test_no_probe_is_a_reference_and_nobody_is_probed_twice(
    samples: list[int], bad: set[int], most: int | None, seed: int
) -> None:
    rows = [
        Row(id=f"p{person}/{index}", path=Path("absent"), person=f"p{person}")
        for person, number in enumerate(samples)
        for index in range(number)
    ]
    usable = np.array([index not in bad for index in range(len(rows))])
    try:
        plan = derive_leave_one_out(rows, replace(ALL, seed=seed), usable, most_references=most, minimum=2)
    except TrialsError:
        assert all(np.count_nonzero(usable[[row.person == f"p{n}" for row in rows]]) < 3 for n in range(len(samples)))
        return
    probed: Counter[int] = Counter()
    for claim in plan.claims:
        probed.update(claim.genuine.tolist())
        assert 2 <= len(claim.references) <= (most or 99)
        assert usable[claim.references].all()
        assert not set(claim.references) & {*claim.genuine, *claim.random}
        assert {plan.sources[index] for index in (*claim.references, *claim.genuine)} == {claim.person}
        assert claim.person not in plan.sources[claim.random]
    claimed = {claim.person for claim in plan.claims}
    assert probed == Counter(index for index in range(len(rows)) if plan.sources[index] in claimed)
    assert claimed | {plan.people.index(name) for name in (*plan.too_few_samples, *plan.failed_to_enroll)} == set(
        range(len(samples))
    )


def test_templates_of_at_most_so_many_references(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=2, samples=8)
    plans = [
        derive_leave_one_out(corpus.rows, replace(ALL, seed=seed), usable_but(corpus), most_references=3)
        for seed in (0, 0, 1)
    ]
    references = [[claim.references.tobytes() for claim in plan.claims] for plan in plans]
    assert {len(claim.references) for claim in plans[0].claims} == {3}
    assert references[0] == references[1] != references[2]


def test_samples_that_cannot_be_acquired_are_probes_that_fail_against_one_template(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=2, samples=5)
    plan = derive_leave_one_out(corpus.rows, ALL, usable_but(corpus, "p000/g01", "p000/g04"))
    claims = [claim for claim in plan.claims if claim.person == 0]
    assert [(named(plan, claim.references), named(plan, claim.genuine)) for claim in claims] == [
        ({"p000/g02", "p000/g03"}, {"p000/g00"}),
        ({"p000/g00", "p000/g02", "p000/g03"}, {"p000/g01", "p000/g04"}),
        ({"p000/g00", "p000/g03"}, {"p000/g02"}),
        ({"p000/g00", "p000/g02"}, {"p000/g03"}),
    ]


def test_who_has_too_few_samples_is_told_from_who_fails_to_enroll(make_corpus: MakeCorpus) -> None:
    rows = [row for row in make_corpus(people=3, samples=4).rows if row.person != "p001" or row.order < 2]
    usable = np.array([row.id not in ("p002/g00", "p002/g01") for row in rows])
    plan = derive_leave_one_out(rows, ALL, usable, minimum=2)
    assert (plan.too_few_samples, plan.failed_to_enroll) == (("p001",), ("p002",))
    assert {claim.person for claim in plan.claims} == {0}
    assert {"p001/g00", "p002/g00"} <= named(plan, plan.claims[0].random)
    with pytest.raises(TrialsError, match="nobody has the 5 usable genuine samples that 4 references"):
        derive_leave_one_out(rows, ALL, usable, minimum=4)


def test_references_are_what_the_corpus_offers_and_the_rest_share_a_template(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=2, samples=6)
    rows = [replace(row, may_enroll=row.order < 3) for row in corpus.rows]
    plan = derive_leave_one_out(rows, ALL, np.ones(12, bool))
    sizes = [(len(claim.references), len(claim.genuine)) for claim in plan.claims if claim.person == 0]
    assert sizes == [(2, 1), (2, 1), (2, 1), (3, 3)]
    pooled = derive_leave_one_out(corpus.rows, replace(ALL, references=3, reference_pool=3), np.ones(12, bool))
    assert [claim.references.tobytes() for claim in pooled.claims] == [c.references.tobytes() for c in plan.claims]
    with pytest.raises(CorpusInvalid, match="has no order"):
        derive_leave_one_out(
            [replace(row, order=None) for row in rows],
            replace(ALL, references=3, reference_pool=3),
            np.ones(12, bool),
        )


def test_impostors_are_limited_as_in_drawn_protocols(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(people=5, samples=4)
    plan = derive_leave_one_out(corpus.rows, Protocol(impostor_samples=1), usable_but(corpus))
    for claim in plan.claims:
        assert Counter(plan.sources[claim.random].tolist()) == dict.fromkeys(set(range(5)) - {claim.person}, 1)
    assert len({claim.random.tobytes() for claim in plan.claims}) > 10
    capped = derive_leave_one_out(corpus.rows, Protocol(impostors_per_person=3), usable_but(corpus))
    assert {len(claim.random) for claim in capped.claims} == {3}


@pytest.mark.parametrize(
    ("choice", "field"), [({"minimum": 0}, "minimum"), ({"minimum": 3, "most_references": 2}, "references")]
)
def test_limits_that_make_no_sense_are_refused(make_corpus: MakeCorpus, choice: dict[str, int], field: str) -> None:
    corpus = make_corpus(people=2, samples=4)
    with pytest.raises(FieldInvalid) as caught:
        derive_leave_one_out(corpus.rows, ALL, usable_but(corpus), **choice)
    assert caught.value.field == field
