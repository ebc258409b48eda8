"""The bootstrap by person against a naive twin, at the edges, and by its coverage in simulation."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.measures.metrics import auc, equal_error, equal_error_index, far_at, frr_at, threshold_at_far
from eval.resampling.bootstrap import PersonBootstrap, shared_rows
from eval.resampling.intervals import rule_of_three
from eval.resampling.replicates import equal_errors
from eval.trials import Trials

MakeTrials = Callable[..., Trials]


def alike(
    generator: np.random.Generator, people: int, genuine: int = 5, impostor: int = 60, apart: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """Genuine and impostor scores (people, trials) in which trials of one person share an effect of that person."""
    g = apart + generator.normal(0, 1, (people, 1)) + generator.normal(0, 1, (people, genuine))
    i = generator.normal(0, 0.7, (people, 1)) + generator.normal(0, 1, (people, impostor))
    return g, i


def test_replicates_are_those_of_a_naive_resampling(make_trials: MakeTrials) -> None:
    """The same draws of people, with every rate computed from the resampled scores themselves."""
    g, i = alike(np.random.default_rng(0), people=12, impostor=20, apart=2.0)
    bootstrap = PersonBootstrap(make_trials(g), make_trials(i), replicates=60, seed=5)
    drawn = np.random.default_rng([5, 12]).multinomial(12, np.full(12, 1 / 12), size=60)
    far, frr = [], []
    for weights in drawn:
        genuine, impostor = np.repeat(g, weights, axis=0).ravel(), np.repeat(i, weights, axis=0).ravel()
        far.append(far_at(impostor, 1.0))
        # The grid holds every score here, genuine ones too, so the lowest threshold of all is found.
        scores = np.unique(np.concatenate([g.ravel(), i.ravel()]))
        first = next(t for t in scores if far_at(impostor, t) <= 0.05)
        frr.append(frr_at(genuine, first))
    assert bootstrap.frr_replicates(0.05) == pytest.approx(frr, abs=1e-12)
    assert bootstrap._impostor.far(np.array([1.0]))[:, 0] == pytest.approx(far, abs=1e-12)


def test_an_interval_holds_its_value_and_stays_between_0_and_1(make_trials: MakeTrials) -> None:
    g, i = alike(np.random.default_rng(1), people=20)
    bootstrap = PersonBootstrap(make_trials(g), make_trials(i), replicates=200)
    genuine, impostor = g.ravel(), i.ravel()
    for target in (0.0, 0.001, 0.1, 1.0):
        threshold = threshold_at_far(impostor, target)
        for rate in (
            bootstrap.frr_at_far(frr_at(genuine, threshold), target),
            bootstrap.far(far_at(impostor, threshold), threshold),
            bootstrap.frr(frr_at(genuine, threshold), threshold),
        ):
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
    area = bootstrap.auc(auc(genuine, impostor))
    assert 0 <= area.low < area.value < area.high <= 1
    eer = bootstrap.equal_error(equal_error(genuine, impostor).rate)
    assert 0 <= eer.low < eer.value < eer.high <= 1


def test_a_rate_without_errors_is_not_stated_as_zero_to_zero(make_trials: MakeTrials) -> None:
    g, i = np.full((10, 4), 5.0), np.zeros((10, 30))
    bootstrap = PersonBootstrap(make_trials(g), make_trials(i), replicates=100)
    assert bootstrap.frr_at_far(0.0, 0.01).high == pytest.approx(rule_of_three(40))
    assert bootstrap.far(0.0, 1.0).high == pytest.approx(rule_of_three(300))
    assert bootstrap.equal_error(0.0).high == pytest.approx(rule_of_three(40))
    assert bootstrap.auc(1.0).low == pytest.approx(1 - rule_of_three(40))


def test_draws_of_the_same_comparisons_add_no_evidence() -> None:
    claim, probe = np.repeat(np.arange(5, dtype=np.int32), 4), np.arange(20, dtype=np.int32)
    once = Trials(np.full(20, 5.0), claim, np.zeros(20, np.int32), probe)
    again = Trials(*(np.tile(column, 9) for column in (once.scores, once.claim, once.draw, once.probe)))
    impostor = Trials(np.zeros(20), once.claim, once.draw, once.probe + 20)
    highs = [PersonBootstrap(genuine, impostor, replicates=50).frr(0.0, 1.0).high for genuine in (once, again)]
    assert highs == [pytest.approx(rule_of_three(20))] * 2


def test_people_alike_within_widen_the_interval(make_trials: MakeTrials) -> None:
    """The same scores dealt to people at random claim more than scores that differ between people."""
    generator = np.random.default_rng(3)
    g, i = alike(generator, people=60, apart=2.0)
    g = g + generator.normal(0, 3, (60, 1))
    dealt = generator.permutation(g.ravel()).reshape(g.shape)
    value = frr_at(g.ravel(), 1.0)
    grouped, mixed = (
        PersonBootstrap(make_trials(scores), make_trials(i), replicates=400).frr(value, 1.0) for scores in (g, dealt)
    )
    assert grouped.high - grouped.low > 1.4 * (mixed.high - mixed.low)


def test_the_seed_decides(make_trials: MakeTrials) -> None:
    g, i = alike(np.random.default_rng(4), people=15)
    first, same, other = (
        PersonBootstrap(make_trials(g), make_trials(i), replicates=100, seed=seed).frr_at_far(0.1, 0.05)
        for seed in (0, 0, 1)
    )
    assert first == same != other


def test_one_person_is_no_sample_of_people(make_trials: MakeTrials) -> None:
    with pytest.raises(TrialsError, match="at least two"):
        PersonBootstrap(make_trials(np.ones((1, 5))), make_trials(np.zeros((1, 5))))


def test_people_without_trials_of_one_kind_are_carried(make_trials: MakeTrials) -> None:
    """Only some people have forgeries: a replicate that happens to hold none of them is left out."""
    g, i = alike(np.random.default_rng(6), people=3)
    bootstrap = PersonBootstrap(make_trials(g), make_trials(i[:1]), replicates=200)
    assert np.isfinite(bootstrap.frr_replicates(0.1)).all()


def test_coverage_in_simulation(make_trials: MakeTrials) -> None:
    """95 % intervals hold the true rate in about 95 % of simulated corpora whose people differ."""
    g, i = alike(np.random.default_rng(7), people=60_000, impostor=30)
    truth = frr_at(g.ravel(), threshold_at_far(i.ravel(), 0.05))
    held = 0
    for seed in range(120):
        g, i = alike(np.random.default_rng([8, seed]), people=60)
        bootstrap = PersonBootstrap(make_trials(g), make_trials(i), replicates=200, seed=seed)
        rate = bootstrap.frr_at_far(frr_at(g.ravel(), threshold_at_far(i.ravel(), 0.05)), 0.05)
        held += rate.low <= truth <= rate.high
    assert 0.90 <= held / 120 <= 0.995


def test_the_area_holds_failures_to_acquire(make_trials: MakeTrials) -> None:
    """Probes that are accepted at no threshold shorten the curve; its last piece is part of the area all the same."""
    g, i = alike(np.random.default_rng(2), people=30)
    i[:, :20] = -np.inf
    g[:, :1] = -np.inf
    genuine, impostor = make_trials(g), make_trials(i)
    found = auc(genuine.scores, impostor.scores)
    rate = PersonBootstrap(genuine, impostor, replicates=200, seed=0).auc(found)
    assert rate.low < found < rate.high
    assert rate.high - rate.low < 0.1


def test_nothing_but_errors_is_not_certainty(make_trials: MakeTrials) -> None:
    g, i = alike(np.random.default_rng(3), people=10)
    genuine = make_trials(g)
    rate = PersonBootstrap(genuine, make_trials(i), replicates=100, seed=0).frr(1.0, 1e9)
    assert rate.high == 1.0
    assert 0.5 < rate.low <= 1 - rule_of_three(genuine.comparisons)


def test_alike_trials_raise_the_floor_of_a_rate_without_errors(make_trials: MakeTrials) -> None:
    """Each person's ten trials say the same, so that no error in 400 trials bounds as none in about 40 does."""
    generator = np.random.default_rng(4)
    g = np.repeat(generator.normal(4, 1, (40, 1)), 10, axis=1) + generator.normal(0, 0.01, (40, 10))
    bootstrap = PersonBootstrap(make_trials(g), make_trials(generator.normal(0, 1, (40, 10))), replicates=400)
    lowest = float(g.min())
    assert bootstrap.frr(0.0, lowest).high == pytest.approx(rule_of_three(40), rel=0.4)
    dealt = generator.permutation(g.ravel()).reshape(g.shape)
    independent = PersonBootstrap(make_trials(dealt), make_trials(generator.normal(0, 1, (40, 10))), replicates=400)
    assert independent.frr(0.0, lowest).high < 2 * rule_of_three(400)


def test_two_models_on_the_same_people_are_resampled_alike(make_trials: MakeTrials) -> None:
    """Row b of either is the same draw of people, also where some draws hold no trial of one kind."""
    g, i = alike(np.random.default_rng(9), people=4)
    first = PersonBootstrap(make_trials(g), make_trials(i[:2]), replicates=300, seed=1)
    second = PersonBootstrap(make_trials(2 * g), make_trials(2 * i), replicates=300, seed=1)
    assert not first.kept.all()
    assert second.kept.all()
    rows = shared_rows(first, second)
    assert len(rows[0]) == len(rows[1]) == first.kept.sum()
    assert (first._weights[rows[0]] == second._weights[rows[1]]).all()
    whole = PersonBootstrap(make_trials(g), make_trials(i), replicates=300, seed=1)
    rows = shared_rows(whole, second)
    difference = whole.frr_replicates(0.1)[rows[0]] - second.frr_replicates(0.1)[rows[1]]
    assert difference == pytest.approx(np.zeros(300))  # a score twice as large decides the same
    other = PersonBootstrap(make_trials(g), make_trials(i), replicates=200, seed=1)
    with pytest.raises(TrialsError, match="not paired"):
        shared_rows(other, second)


def test_equal_errors_of_many_rows_are_those_of_each() -> None:
    generator = np.random.default_rng(10)
    far = np.sort(generator.integers(0, 12, (500, 6)), axis=1)[:, ::-1] / 11
    frr = np.sort(generator.integers(0, 12, (500, 6)), axis=1) / 11
    at = [equal_error_index(own_far, own_frr) for own_far, own_frr in zip(far, frr, strict=True)]
    rows = np.arange(500)
    assert equal_errors(far, frr) == pytest.approx((far[rows, at] + frr[rows, at]) / 2)


@pytest.mark.parametrize("empty", ["genuine", "impostor"])
def test_trials_of_one_kind_alone_have_no_interval(make_trials: MakeTrials, empty: str) -> None:
    trials = make_trials(np.ones((3, 2)))
    none = trials.where(np.zeros(6, np.bool_))
    sides = (none, trials) if empty == "genuine" else (trials, none)
    with pytest.raises(TrialsError, match="genuine and impostor"):
        PersonBootstrap(*sides)


def test_a_rate_that_nobody_has_is_no_mean(make_trials: MakeTrials) -> None:
    g, i = alike(np.random.default_rng(11), people=5)
    bootstrap = PersonBootstrap(make_trials(g), make_trials(i), replicates=50)
    with pytest.raises(TrialsError, match="nobody"):
        bootstrap.mean_over_people(np.full(5, np.nan))
    assert bootstrap.mean_over_people(np.array([0.1, 0.2, np.nan, 0.3, 0.2])).value == pytest.approx(0.2)
