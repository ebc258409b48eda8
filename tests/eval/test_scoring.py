"""Corpus → scores through the real verifier: failures, order, and the same numbers as the service's own path."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encode.errors import ImageCorrupt, TrialsError
from encode.sample import Modality
from enroll.enroller import Enroller
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.plans.protocol import Protocol, derive
from eval.policies.policy_builder import build_policy
from eval.scoring import BATCH, FILE_UNREADABLE, acquire, score
from eval.trials import ScoreTable, TrialKind
from verify.verifier import Verifier

MakeCorpus, MakeVerifier = Callable[..., Corpus], Callable[..., Verifier]


def run(corpus: Corpus, verifier: Verifier, protocol: Protocol) -> ScoreTable:
    acquired = acquire(corpus.rows, verifier, Modality.FACE, quiet=True)
    plan = derive(corpus.rows, protocol, acquired.usable)
    return score(plan, acquired, verifier, Modality.FACE, "d" * 64, quiet=True)


def test_embeddings_keep_the_order_over_several_batches(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    corpus = make_corpus(people=10, samples=BATCH // 4, unreadable=["p004/g01", "p004/g02"])
    acquired = acquire(corpus.rows, make_verifier(), Modality.FACE, quiet=True)
    assert len(corpus) > 2 * BATCH
    assert acquired.failures == {"SAMPLE_EMPTY": 2}
    for index, row in enumerate(corpus.rows):
        data = row.load().data
        expected = np.frombuffer(data, np.float32) if data else np.zeros(8, np.float32)
        assert (acquired.embeddings[index] == expected).all()
        assert acquired.usable[index] == bool(data)


def test_every_way_to_be_unreadable_is_counted_with_its_reason(
    make_corpus: MakeCorpus, make_verifier: MakeVerifier
) -> None:
    def gone(_: Row) -> None:
        raise FileNotFoundError

    def broken(_: Row) -> None:
        raise ImageCorrupt("cut short")

    rows = list(make_corpus(people=2, samples=6, unreadable=["p000/g05"]).rows)
    rows[0], rows[1] = replace(rows[0], loader=gone), replace(rows[1], loader=broken)
    acquired = acquire(rows, make_verifier(), Modality.FACE, quiet=True)
    assert acquired.reasons == {0: FILE_UNREADABLE, 1: "IMAGE_CORRUPT", 5: "SAMPLE_EMPTY"}


def test_a_corpus_without_one_usable_sample_is_refused(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    corpus = make_corpus(people=2, samples=1, unreadable=["p000/g00", "p001/g00"])
    with pytest.raises(TrialsError, match=r"none of the 2 samples could be read.*SAMPLE_EMPTY"):
        acquire(corpus.rows, make_verifier(), Modality.FACE, quiet=True)


def test_scores_are_those_of_fitting_and_asking_one_by_one(
    make_corpus: MakeCorpus, make_verifier: MakeVerifier
) -> None:
    corpus, verifier = make_corpus(people=4, samples=6, forgeries=2), make_verifier()
    acquired = acquire(corpus.rows, verifier, Modality.FACE, quiet=True)
    plan = derive(corpus.rows, Protocol(references=3, draws=2), acquired.usable)
    table = score(plan, acquired, verifier, Modality.FACE, "d" * 64, quiet=True)
    expected = []
    for claim in plan.claims:
        person = verifier.fit(Modality.FACE, acquired.embeddings[claim.references])
        for kind, probes in (("genuine", claim.genuine), ("random", claim.random), ("skilled", claim.skilled)):
            for probe in probes:
                (llr,) = verifier.llr(Modality.FACE, person, acquired.embeddings[[probe]])
                expected.append((kind, claim.person, claim.draw, probe, llr))
    kinds = [list(TrialKind)[index].value for index in table.kind]
    found = list(zip(kinds, table.claim, table.draw, table.probe, strict=True))
    assert found == [row[:4] for row in expected]
    assert table.scores == pytest.approx([row[4] for row in expected], abs=1e-12)
    assert table.scores.dtype == np.float64


def test_scores_are_those_the_service_decides_by(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    """A claim enrolled in a store and verified by name gets the score, and the decision, that the table implies."""
    corpus, protocol = make_corpus(people=5, samples=8), Protocol(references=4, draws=1)
    table = run(corpus, make_verifier(), protocol)
    policy = build_policy(
        table, modality=Modality.FACE, corpus_name="c", corpus_digest="0" * 64, references=4, target_fars=(0.1,)
    )
    models, store = make_verifier(policy).models, MemoryStore()
    samples = {row.id: row.load() for row in corpus.rows}
    for claim in derive(corpus.rows, protocol, np.ones(len(corpus), dtype=bool)).claims:
        person = table.people[claim.person]
        references = [samples[table.samples[index]] for index in claim.references]
        Enroller(models, store).enroll("gallery", person, references)
    verifier = Verifier(models, store)
    for index in range(0, len(table), 7):
        probe, person = samples[table.samples[table.probe[index]]], table.people[table.claim[index]]
        decision = verifier.verify("gallery", person, [probe])
        assert decision.score == pytest.approx(table.scores[index], abs=1e-9)
        assert decision.accepted == (table.scores[index] >= policy.row_for(0.1).threshold)


def test_failed_probes_score_minus_infinity_in_every_kind(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    bad = ["p000/g01", "p000/f00"]
    table = run(make_corpus(people=3, samples=7, forgeries=2, unreadable=bad), make_verifier(), Protocol(5, draws=6))
    for kind in TrialKind:
        trials = table.of(kind)
        failed = [table.samples[probe] in bad for probe in trials.probe]
        assert any(failed)
        assert np.isneginf(trials.scores).tolist() == failed
        assert trials.failures == sum(failed)


def test_a_rate_never_rests_on_scores_that_are_no_numbers(make_table: Callable[..., ScoreTable]) -> None:
    with pytest.raises(TrialsError, match="NaN"):
        make_table(genuine=np.full((2, 2), np.nan), random=np.zeros((2, 2)))


def test_counts_of_trials(make_table: Callable[..., ScoreTable]) -> None:
    table = make_table(genuine=np.ones((3, 2)), random=np.zeros((3, 4)))
    assert table.counts == {TrialKind.GENUINE: 6, TrialKind.RANDOM: 12, TrialKind.SKILLED: 0}
    random = table.of(TrialKind.RANDOM)
    assert (len(random), random.comparisons, random.probes, random.claimed.tolist()) == (12, 12, 12, [0, 1, 2])
    assert len(table.of(TrialKind.SKILLED)) == 0
