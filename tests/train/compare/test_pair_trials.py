"""All pairs against a loop over them: one corpus, one kind, forgeries with their own person alone."""

from itertools import combinations

import numpy as np
import pytest

from eval.trials import TrialKind
from train.compare import pair_trials as module
from train.compare.measures import measured
from train.compare.pair_trials import pair_trials

CORPUS_OF = ("crowd", "crowd", "town", "town")
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 0, 2])
FORGED = np.array([False] * 9 + [True] * 2)


def embeddings(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(LABELS), 5)).astype(np.float32)


def naive(x: np.ndarray) -> dict[TrialKind, list[tuple[int, int, float]]]:
    found: dict[TrialKind, list[tuple[int, int, float]]] = {kind: [] for kind in TrialKind}
    for i, j in combinations(range(len(x)), 2):
        score = -float(((x[i].astype(float) - x[j]) ** 2).sum())
        entry = (int(LABELS[i]), j, score)
        if LABELS[i] == LABELS[j] and not (FORGED[i] and FORGED[j]):
            found[TrialKind.SKILLED if FORGED[i] or FORGED[j] else TrialKind.GENUINE].append(entry)
        elif (
            not FORGED[i] and not FORGED[j] and CORPUS_OF[LABELS[i]] == CORPUS_OF[LABELS[j]] and LABELS[i] != LABELS[j]
        ):
            found[TrialKind.RANDOM].append(entry)
    return found


def test_the_trials_are_those_of_the_loop() -> None:
    x = embeddings()
    trials, expected = pair_trials(x, LABELS, FORGED, CORPUS_OF), naive(x)
    for kind in TrialKind:
        assert trials[kind].claim.tolist() == [claim for claim, _, _ in expected[kind]]
        assert trials[kind].probe.tolist() == [probe for _, probe, _ in expected[kind]]
        np.testing.assert_allclose(trials[kind].scores, [score for _, _, score in expected[kind]], atol=1e-9)
    sources = trials[TrialKind.SKILLED].source
    assert sources is not None
    assert set(sources.tolist()) == {-1}


def test_many_samples_of_a_person_count_as_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    trials = pair_trials(embeddings(), LABELS, FORGED, CORPUS_OF)
    assert trials[TrialKind.GENUINE].probe.tolist() == [2, 4, 6, 8]
    assert len(trials[TrialKind.RANDOM]) == 8


def test_kinds_are_measured_apart() -> None:
    found = measured("all", pair_trials(embeddings(), LABELS, FORGED, CORPUS_OF), replicates=100)
    assert found is not None
    random, skilled = found.measure.random, found.measure.skilled
    assert random is not None
    assert skilled is not None
    assert (random.genuine, random.impostor, random.people) == (6, 10, 4 - 2)
    assert (skilled.genuine, skilled.impostor) == (6, 5)
    assert all(values.shape == (3, 100) for values in found.replicates.values())


def test_without_impostors_there_is_nothing_to_measure() -> None:
    trials = pair_trials(embeddings()[:3], LABELS[:3], FORGED[:3], CORPUS_OF)
    assert set(trials) == {TrialKind.GENUINE}
    assert measured("all", trials, replicates=100) is None
