"""LFW's accuracy over folds: against its formulas worked by hand, and against trying every threshold."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.measures.fold_accuracy import accuracy, fold_accuracy, most_accurate
from eval.trials import Trials

MakeTrials = Callable[..., Trials]
SCORES = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0, 2.0, np.nextafter(1.0, 2.0)]), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(SCORES, SCORES)
def test_no_threshold_is_more_accurate(genuine: list[float], impostor: list[float]) -> None:
    trials = Trials.anonymous(np.array(genuine)), Trials.anonymous(np.array(impostor))
    finite = [score for score in genuine + impostor if score > -np.inf]
    try:
        found = accuracy(trials, most_accurate(trials))
    except TrialsError:
        assert not np.isfinite(genuine).any() or not np.isfinite(impostor).any()
        return
    tried = [*finite, np.nextafter(max(finite), np.inf)]
    assert found == max(accuracy(trials, threshold) for threshold in tried)


def test_the_threshold_lies_half_way_between_the_scores() -> None:
    trials = Trials.anonymous(np.array([4.0, 5.0])), Trials.anonymous(np.array([1.0, 2.0]))
    assert most_accurate(trials) == 3.0
    genuine, impostor = Trials.anonymous(np.array([1.0, 2.0])), Trials.anonymous(np.array([4.0]))
    assert most_accurate((genuine, impostor)) == 1.0  # accepting all is best, and is what the lowest score does


def test_mean_and_standard_error_are_those_of_the_report(make_trials: MakeTrials) -> None:
    genuine = make_trials(np.array([[2.0, 3.0], [2.5, 0.4], [0.2, 3.0]]))
    impostor = make_trials(np.array([[0.0, 0.5], [1.0, -1.0], [0.9, 2.6]]), first_probe=6)
    labels = ("fold 1", "fold 2", "fold 3")
    found = fold_accuracy(genuine, impostor, labels)
    shares = []
    for fold in range(3):
        g, i = genuine.scores.reshape(3, 2), impostor.scores.reshape(3, 2)
        others = [other for other in range(3) if other != fold]
        rest = Trials.anonymous(g[others].ravel()), Trials.anonymous(i[others].ravel())
        threshold = most_accurate(rest)
        shares.append((sum(g[fold] >= threshold) + sum(i[fold] < threshold)) / 4)
        assert found.thresholds[fold] == threshold
    assert found.folds == tuple(shares)
    mean = sum(shares) / 3
    error = (sum((share - mean) ** 2 for share in shares) / 2) ** 0.5 / 3**0.5
    assert found.accuracy.value == pytest.approx(mean)
    assert found.standard_error == pytest.approx(error)
    assert found.accuracy.high == pytest.approx(min(mean + 4.302653 * error, 1.0))  # t of 2 degrees of freedom
    assert found.accuracy.low == pytest.approx(max(mean - 4.302653 * error, 0.0))


def test_what_is_not_in_folds_has_no_accuracy_over_them(make_trials: MakeTrials) -> None:
    genuine, impostor = make_trials(np.ones((4, 2))), make_trials(np.zeros((4, 2)))
    with pytest.raises(TrialsError, match="needs folds, not one split"):
        fold_accuracy(genuine, impostor, ("development", "development", "test", "test"))
    with pytest.raises(TrialsError, match="no genuine or no impostor trials"):
        fold_accuracy(genuine, impostor.where(impostor.claim < 2), ("a", "a", "b", "b"))
