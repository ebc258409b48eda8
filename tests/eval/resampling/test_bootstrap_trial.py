"""Scores without people: against binomial theory, a naive resampling, and by coverage."""

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.measures.metrics import auc, equal_error, frr_at, threshold_at_far
from eval.resampling.bootstrap import TrialBootstrap, bootstrap
from eval.resampling.intervals import clopper_pearson
from eval.trials import Trials


def scores(seed: int, genuine: int, impostor: int, apart: float = 3.0) -> tuple[Trials, Trials]:
    generator = np.random.default_rng(seed)
    return (
        Trials.anonymous(generator.normal(apart, 1, genuine)),
        Trials.anonymous(generator.normal(0, 1, impostor)),
    )


def test_anonymous_trials_are_drawn_one_by_one() -> None:
    found = bootstrap(*scores(0, 100, 300), replicates=50)
    assert isinstance(found, TrialBootstrap)
    assert found.method == "bootstrap by trial"


def test_fixed_thresholds_have_exact_ends() -> None:
    genuine, impostor = scores(1, 200, 500)
    found = bootstrap(genuine, impostor, replicates=20)
    assert found.frr(7 / 200, 1.5) == clopper_pearson(7, 200)
    assert found.far(0.0, 9.0) == clopper_pearson(0, 500)


def test_replicates_spread_as_the_binomial_does() -> None:
    """At a threshold fixed by impostors so many that they hardly move it, the FRR is binomial."""
    genuine, impostor = scores(2, 400, 200_000)
    found = bootstrap(genuine, impostor, replicates=4000)
    value = frr_at(genuine.scores, threshold_at_far(impostor.scores, 0.05))
    replicates = found.frr_replicates(0.05)
    assert replicates.mean() == pytest.approx(value, abs=0.003)
    assert replicates.std() == pytest.approx(np.sqrt(value * (1 - value) / 400), rel=0.08)


def test_replicates_agree_with_a_naive_resampling() -> None:
    genuine, impostor = scores(3, 80, 150)
    found = bootstrap(genuine, impostor, replicates=3000)
    generator = np.random.default_rng(5)
    rates, errors, areas = [], [], []
    thresholds = np.sort(np.concatenate([genuine.scores, impostor.scores]))
    for _ in range(1500):
        g, i = (generator.choice(side.scores, len(side)) for side in (genuine, impostor))
        # The grid holds every score here, genuine ones too, so the lowest threshold of all is found.
        far = 1 - np.searchsorted(np.sort(i), thresholds) / len(i)
        rates.append(frr_at(g, thresholds[np.argmax(far <= 0.1)]))
        errors.append(equal_error(g, i).rate)
        areas.append(auc(g, i))
    for ours, naive in (
        (found.frr_replicates(0.1), rates),
        (found.equal_error_replicates(), errors),
        (found.auc_replicates(), areas),
    ):
        assert ours.mean() == pytest.approx(np.mean(naive), abs=0.005)
        assert ours.std() == pytest.approx(np.std(naive), rel=0.12)


def test_the_seed_decides() -> None:
    genuine, impostor = scores(4, 100, 300)
    first, same, other = (bootstrap(genuine, impostor, replicates=50, seed=seed) for seed in (0, 0, 1))
    assert (first.frr_replicates(0.05) == same.frr_replicates(0.05)).all()
    assert (first.frr_replicates(0.05) != other.frr_replicates(0.05)).any()


def test_coverage_of_independent_trials() -> None:
    generator = np.random.default_rng(6)
    g, i = np.sort(generator.normal(2.5, 1, 400_000)), np.sort(generator.normal(0, 1, 400_000))
    truth = frr_at(g, threshold_at_far(i, 0.05))
    held = 0
    for seed in range(100):
        genuine, impostor = scores(100 + seed, 150, 600, apart=2.5)
        value = frr_at(genuine.scores, threshold_at_far(impostor.scores, 0.05))
        rate = bootstrap(genuine, impostor, replicates=150, seed=seed).frr_at_far(value, 0.05)
        held += rate.low <= truth <= rate.high
    assert 0.88 <= held / 100 <= 0.99


def test_millions_of_scores_take_no_more_memory_than_their_counts() -> None:
    found = bootstrap(*scores(7, 500_000, 500_000), replicates=20)
    assert found._grid_far.shape[1] < 2100
    assert found.frr_replicates(1e-4).std() > 0


@pytest.mark.parametrize(("genuine", "impostor"), [(1, 50), (50, 1)])
def test_one_trial_of_a_kind_has_no_interval(genuine: int, impostor: int) -> None:
    with pytest.raises(TrialsError, match="at least two"):
        bootstrap(*scores(8, genuine, impostor))


def test_nobody_is_known_by_name() -> None:
    with pytest.raises(TrialsError, match="without people"):
        bootstrap(*scores(9, 10, 10), replicates=10).mean_over_people(np.array([0.1]))


def test_all_probes_failed() -> None:
    nothing = Trials.anonymous(np.full(5, -np.inf))
    with pytest.raises(TrialsError, match="all probes failed"):
        bootstrap(nothing, nothing)
