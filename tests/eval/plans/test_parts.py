"""The trials of a part: nobody of another part is in them, claimed or probing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.plans.parts import parts_of, table_within, within
from eval.plans.protocol import Protocol
from eval.scoring import score_corpus
from eval.trials import TrialKind, Trials
from verify.verifier import Verifier

MakeCorpus, MakeVerifier = Callable[..., Corpus], Callable[..., Verifier]


def people_in(trials: Trials) -> set[int]:
    return set(trials.claim) | set(trials.source[trials.source >= 0])


@settings(max_examples=100, deadline=None)
@given(
    labels=st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=8, max_size=8)
    | st.lists(st.sampled_from(["development", "test", ""]), min_size=8, max_size=8),
    seed=st.integers(0, 10**6),
)
def test_development_and_test_trials_share_nobody(labels: list[str], seed: int) -> None:
    generator = np.random.default_rng(seed)
    claim, source = (generator.integers(low, 8, 60).astype(np.int32) for low in (0, -1))
    trials = Trials(generator.normal(size=60), claim, np.zeros(60, np.int32), np.arange(60, dtype=np.int32), source)
    try:
        parts = parts_of(labels)
    except TrialsError:
        assert len(set(labels) - {""}) < 2
        return
    tested = np.zeros(60, int)
    for part in parts:
        development, test = within(trials, part.development), within(trials, part.test)
        assert not people_in(development) & people_in(test)
        assert {labels[person] for person in people_in(test)} <= set(labels) - {""}
        assert len({labels[person] for person in people_in(test)}) <= 1
        tested[test.probe] += 1
    assert tested.max() <= 1
    same = [labels[c] != "" and (s < 0 or labels[c] == labels[s]) for c, s in zip(claim, source, strict=True)]
    if len(parts) > 1:
        assert tested.astype(bool).tolist() == same


@pytest.mark.parametrize(
    "labels", [["", ""], ["a", "a"], ["test", "test"], ["development", "test", "fold 1"], ["development", "fold 1"], []]
)
def test_labels_that_are_no_split_are_refused(labels: list[str]) -> None:
    with pytest.raises(TrialsError, match="people are split into development and test, or into two folds or more"):
        parts_of(labels)


def test_a_table_within_people_holds_their_trials_of_every_kind(
    make_corpus: MakeCorpus, make_verifier: MakeVerifier
) -> None:
    corpus = make_corpus(people=14, samples=6, forgeries=3)
    table = score_corpus(corpus, make_verifier(), Modality.FACE, Protocol(references=3, draws=2), quiet=True).table
    people = np.arange(14) < 6
    part = table_within(table, people)
    for kind in TrialKind:
        expected = within(table.of(kind), people)
        for column in ("scores", "claim", "draw", "probe", "source"):
            assert (getattr(part.of(kind), column) == getattr(expected, column)).all()
        assert 0 < len(expected) < len(table.of(kind))
    assert part.people == table.people
    assert len(table_within(replace(table, source=None), people)) == np.count_nonzero(table.claim < 6)
