"""Identification rates, against the searches counted one by one, and through the product's own scoring."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.measures.identification import FEWEST_SEARCHES, identify, reported_ranks
from eval.measures.searches import complete_searches
from eval.plans.protocol import Protocol
from eval.scoring import score_corpus
from eval.trials import ScoreTable, TrialKind
from verify.verifier import Verifier

MakeCorpus = Callable[..., Corpus]
MakeVerifier = Callable[..., Verifier]


@pytest.fixture
def make_square() -> Callable[..., ScoreTable]:
    """One draw, everybody against everybody: `scores` (probes, people), `owner` (probes,)."""

    def make(scores: np.ndarray, owner: np.ndarray) -> ScoreTable:
        probes, people = scores.shape
        claim = np.tile(np.arange(people, dtype=np.int32), probes)
        return ScoreTable(
            people=tuple(f"p{index}" for index in range(people)),
            samples=tuple(f"s{index}" for index in range(probes)),
            kind=(np.repeat(owner, people) != claim).astype(np.int8),
            scores=scores.ravel().astype(np.float64),
            claim=claim,
            draw=np.zeros(claim.size, np.int32),
            probe=np.repeat(np.arange(probes, dtype=np.int32), people),
            model_digest="model",
        )

    return make


def random_square(people: int, per_person: int, separation: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    owner = np.repeat(np.arange(people), per_person)
    scores = np.random.default_rng(seed).normal(0, 1, (len(owner), people))
    scores[np.arange(len(owner)), owner] += separation
    return scores, owner


def test_the_match_characteristic_counts_ranks(make_square: Callable[..., ScoreTable]) -> None:
    scores, owner = random_square(12, 5, 1.5)
    scores[7] = -np.inf  # a failure to acquire is found at no rank
    found = identify(make_square(scores, owner), replicates=200)
    assert found is not None
    mate = scores[np.arange(60), owner]
    rank = (scores >= mate[:, None]).sum(axis=1)
    rank[7] = 99
    assert [point.rank for point in found.cmc] == [1, 2, 3, 5, 10]
    assert [point.rate.value for point in found.cmc] == pytest.approx(
        [(rank <= point.rank).mean() for point in found.cmc]
    )
    assert (found.gallery, found.smallest_gallery, found.searches, found.probes) == (12, None, 60, 60)
    assert all(point.rate.low < point.rate.value < point.rate.high for point in found.cmc[:4])


def test_the_open_set_takes_the_owner_out_of_the_gallery(make_square: Callable[..., ScoreTable]) -> None:
    scores, owner = random_square(20, 10, 3.0)
    found = identify(make_square(scores, owner), replicates=200)
    assert found is not None
    mate = scores[np.arange(200), owner]
    others = scores.copy()
    others[np.arange(200), owner] = -np.inf
    best = others.max(axis=1)
    assert [point.fpir for point in found.open_set] == [0.1, 0.05, 0.01]  # 0.1 % would be a fifth of a search
    for point in found.open_set:
        assert point.achieved_fpir.value == (best >= point.threshold).mean() <= point.fpir
        assert point.fnir.value == ((mate <= best) | (mate < point.threshold)).mean()
        assert (best > np.nextafter(point.threshold, -np.inf)).mean() <= point.fpir
        assert point.threshold_chosen == "a posteriori"
    assert [point.beyond_evidence for point in found.open_set] == [True, True, True]
    assert found.open_set[0].fnir.value >= 1 - found.cmc[0].rate.value


def test_evidence_is_counted_in_distinct_probes(make_square: Callable[..., ScoreTable]) -> None:
    found = identify(make_square(*random_square(30, 10, 3.0)), replicates=50)
    assert found is not None
    assert [point.beyond_evidence for point in found.open_set] == [False, True, True]  # 300 probes: 30 at 10 %


def test_a_perfect_search_has_the_rule_of_three_for_its_end(make_square: Callable[..., ScoreTable]) -> None:
    found = identify(make_square(*random_square(10, 10, 100.0)), replicates=50)
    assert found is not None
    first = found.cmc[0].rate
    assert first.value == first.high == 1.0
    assert first.low == pytest.approx(0.05**0.01)


def test_too_few_searches_are_none(make_square: Callable[..., ScoreTable]) -> None:
    scores, owner = random_square(3, 3, 2.0)
    assert len(owner) < FEWEST_SEARCHES
    assert identify(make_square(scores, owner), replicates=50) is None
    scores, owner = random_square(2, 6, 2.0)
    assert identify(make_square(scores, owner), replicates=50) is not None
    assert identify(make_square(scores, np.zeros_like(owner)), replicates=50) is None  # one person's probes alone
    assert identify(make_square(np.full_like(scores, -np.inf), owner), replicates=50) is None


def test_nobody_first_leaves_no_open_set(make_square: Callable[..., ScoreTable]) -> None:
    found = identify(make_square(*random_square(5, 4, -100.0)), replicates=50)
    assert found is not None
    assert found.cmc[0].rate.value == 0.0
    assert found.cmc[-1].rate.value == 1.0
    assert found.open_set == ()


def test_ranks_follow_the_series() -> None:
    assert list(reported_ranks(2)) == [1, 2]
    assert list(reported_ranks(1000)) == [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000]


def test_a_scored_corpus_gives_every_search_there_is(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    corpus = make_corpus(people=12, samples=6, forgeries=2, unreadable=["p003/g01"])
    protocol = Protocol(references=2, draws=3)
    scored = score_corpus(corpus, make_verifier(), Modality.FACE, protocol, quiet=True)
    found = identify(scored.table, replicates=100)
    searches = complete_searches(scored.table)
    assert found is not None
    assert searches is not None
    assert found.gallery == 12
    assert found.searches == scored.table.counts[TrialKind.GENUINE]
    assert len(searches) == 3 * 12 * 6
    assert found.cmc[0].rate.value > 0.9


def test_limited_impostors_leave_no_complete_search(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    protocol = Protocol(references=2, draws=3, impostors_per_person=10)
    scored = score_corpus(make_corpus(people=12, samples=6), make_verifier(), Modality.FACE, protocol, quiet=True)
    assert identify(scored.table, replicates=50) is None
