"""A list as a plan: draws, failures to enroll and to acquire, and the same scores as asking one by one."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.plans.trial_list import ListedTemplate, TrialList, plan_of_list
from eval.scoring import acquire, score
from eval.trials import KINDS, TrialKind
from verify.verifier import Verifier

MakeCorpus, MakeVerifier = Callable[..., Corpus], Callable[..., Verifier]
GENUINE, RANDOM, SKILLED = TrialKind

LISTED = TrialList(
    (
        ListedTemplate("a", "p000", ("p000/g00", "p000/g01"), {"p000/g02": GENUINE, "p001/g00": RANDOM}),
        ListedTemplate("b", "p000", ("p000/g02",), {"p000/g01": GENUINE, "p000/f00": SKILLED}),
        ListedTemplate("c", "p002", ("p002/g00",), {"p000/g00": RANDOM, "p002/g02": GENUINE}),
        ListedTemplate("d", "p002", ("p002/g01",), {}),
    )
)


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus(people=3, samples=3, forgeries=1, unreadable=["p000/g01", "p001/g00"])


def test_scores_are_those_of_every_pair_asked_by_itself(corpus: Corpus, make_verifier: MakeVerifier) -> None:
    verifier = make_verifier()
    acquired = acquire(corpus.rows, verifier, Modality.FACE, quiet=True)
    plan = plan_of_list(corpus.rows, LISTED, acquired.usable)
    table = score(plan, acquired, verifier, Modality.FACE, "d" * 64, quiet=True)
    found = {
        (table.people[claim], int(draw), table.samples[probe]): (KINDS[kind], value)
        for claim, draw, probe, kind, value in zip(
            table.claim, table.draw, table.probe, table.kind, table.scores, strict=True
        )
    }
    x = {row.id: acquired.embeddings[index] for index, row in enumerate(corpus.rows)}

    def llr(probe: str, *references: str) -> float:
        person = verifier.fit(Modality.FACE, np.array([x[reference] for reference in references]))
        return float(verifier.llr(Modality.FACE, person, x[probe][None])[0])

    expected = {
        ("p000", 0, "p000/g02"): (GENUINE, llr("p000/g02", "p000/g00")),  # its other reference could not be acquired
        ("p000", 0, "p001/g00"): (RANDOM, -np.inf),
        ("p000", 1, "p000/g01"): (GENUINE, -np.inf),
        ("p000", 1, "p000/f00"): (SKILLED, llr("p000/f00", "p000/g02")),
        ("p002", 0, "p000/g00"): (RANDOM, llr("p000/g00", "p002/g00")),
        ("p002", 0, "p002/g02"): (GENUINE, llr("p002/g02", "p002/g00")),
    }
    assert found.keys() == expected.keys()
    for trial, (kind, value) in expected.items():
        assert found[trial][0] is kind
        assert found[trial][1] == pytest.approx(value, abs=1e-12)


def test_a_template_that_cannot_be_made_fails_to_enroll(corpus: Corpus) -> None:
    usable = np.array([row.id not in ("p000/g02", "p002/g00") for row in corpus.rows])
    plan = plan_of_list(corpus.rows, LISTED, usable)
    assert plan.failed_to_enroll == ("p000", "p002")
    assert [(plan.people[claim.person], claim.draw) for claim in plan.claims] == [("p000", 0), ("p002", 1)]
    usable[:] = False
    with pytest.raises(TrialsError, match="of no template could enough references be acquired"):
        plan_of_list(corpus.rows, LISTED, usable)


def test_the_order_of_the_rows_does_not_matter(corpus: Corpus) -> None:
    usable = np.array([row.id != "p000/g02" for row in corpus.rows])
    plans = [plan_of_list(corpus.rows[::step], LISTED, usable[::step]) for step in (1, -1)]
    assert plans[0].samples == plans[1].samples
    for one, other in zip(plans[0].claims, plans[1].claims, strict=True):
        assert (one.person, one.draw) == (other.person, other.draw)
        for column in ("references", "genuine", "random", "skilled"):
            assert (getattr(one, column) == getattr(other, column)).all()


def test_fewer_references_than_the_model_takes_are_the_lists_fault(corpus: Corpus) -> None:
    with pytest.raises(TrialsError, match=r"template 'b' lists 1 references, the model enrolls with 2 or more"):
        plan_of_list(corpus.rows, LISTED, np.ones(len(corpus), bool), minimum=2)
