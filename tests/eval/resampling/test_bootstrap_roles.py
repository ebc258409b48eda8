"""People in both roles: naive twins of the resampling and of the dyadic variance, and the edges."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.measures.metrics import frr_at
from eval.resampling.bootstrap import PersonBootstrap, bootstrap
from eval.resampling.dyads import DyadicSpread
from eval.resampling.roles import InBothRoles, draw_people
from eval.trials import Trials

MakeTrials = Callable[..., Trials]
MakeCrossed = Callable[..., Trials]


@pytest.fixture
def make_crossed() -> MakeCrossed:
    """Every one of `people` against everybody else and `others`, with an effect of the person in either role."""

    def make(seed: int, people: int, others: int = 0, wolf: float = 0.7) -> Trials:
        generator = np.random.default_rng(seed)
        lamb, wolves = generator.normal(0, 0.7, people), generator.normal(0, wolf, people + others)
        claim, source = (axis.ravel().astype(np.int32) for axis in np.indices((people, people + others)))
        claim, source = claim[claim != source], source[claim != source]
        scores = lamb[claim] + wolves[source] + generator.normal(size=len(claim))
        return Trials(scores, claim, np.zeros_like(claim), source + 1000, source)

    return make


def claimed_only(trials: Trials) -> Trials:
    return Trials(trials.scores, trials.claim, trials.draw, trials.probe)


def dyadic_variance(errors: NDArray[np.float64], trials: Trials) -> float:
    """Aronow, Samii & Assenova 2015, equation 4, pair of trials by pair of trials."""
    assert trials.source is not None
    residual = errors - errors.mean()
    total = 0.0
    for i in range(len(trials)):
        for j in range(len(trials)):
            if {trials.claim[i], trials.source[i]} & {trials.claim[j], trials.source[j]}:
                total += residual[i] * residual[j]
    return total / len(trials) ** 2


@pytest.mark.parametrize("others", [0, 5])
def test_replicates_are_those_of_a_naive_resampling(make_crossed: MakeCrossed, others: int) -> None:
    """FAR + √(dyadic variance ÷ that of drawing) · what the draw of people changes, trial by trial."""
    trials, threshold = make_crossed(0, 9, others), 0.5
    assert trials.source is not None
    weights = np.random.default_rng(1).integers(0, 3, (7, 9 + others)).astype(np.float64)
    unit = np.arange(9 + others)
    found = InBothRoles(trials.scores, trials.claim.astype(np.int64), trials.source.astype(np.int64), weights, unit)
    errors = (trials.scores >= threshold).astype(np.float64)
    residual = errors - errors.mean()
    by_person = [residual[(trials.claim == p) | (trials.source == p)].sum() for p in unit]
    drawing = np.sum(np.square(by_person)) / len(trials) ** 2
    few = [1 - 1 / 9, 1 - 1 / (9 + others)]
    claimed, acting = np.bincount(trials.claim, minlength=9 + others), np.bincount(trials.source)
    alike = 2 * (claimed * acting).sum() / ((claimed**2).sum() + (acting**2).sum())
    variance = dyadic_variance(errors, trials) / (few[0] * few[1]) ** (1 + alike)
    least = drawing / 2 / (few[0] * few[1]) ** (1 + alike)
    kappa = np.sqrt(max(variance, least) / drawing * (8 / 9))
    expected = []
    for row in weights:
        change = ((row[trials.claim] - 1 + row[trials.source] - 1) * residual).sum()
        expected.append(np.clip(errors.mean() + kappa * change / len(trials), 0, 1))
    assert found.far(np.array([threshold]))[:, 0] == pytest.approx(expected, abs=1e-12)


def test_the_ratio_is_that_of_the_dyadic_variance_at_every_threshold(make_crossed: MakeCrossed) -> None:
    trials = make_crossed(3, 8)
    assert trials.source is not None
    spread = DyadicSpread(trials.scores, trials.claim.astype(np.int64), trials.source.astype(np.int64))
    for threshold in np.quantile(trials.scores, [0.1, 0.5, 0.8]):
        errors = (trials.scores >= threshold).astype(np.float64)
        residual = errors - errors.mean()
        both = sum(residual[(trials.claim == p) | (trials.source == p)].sum() ** 2 for p in range(8)) / len(trials) ** 2
        ratio = spread.ratio(np.array([threshold]))[0]
        assert ratio**2 / spread.correction == pytest.approx(max(dyadic_variance(errors, trials) / both, 0.5))


def test_trials_that_share_nothing_but_people_count_once() -> None:
    """Independent scores: drawing in both roles doubles the variance, and the ratio halves it again."""
    generator = np.random.default_rng(4)
    claim, source = (axis.ravel() for axis in np.indices((60, 60)))
    claim, source = claim[claim != source], source[claim != source]
    spread = DyadicSpread(generator.normal(size=len(claim)), claim, source)
    assert spread.ratio(np.array([0.0]))[0] == pytest.approx(np.sqrt(spread.correction / 2), rel=0.1)


def test_wolves_widen_the_interval_of_a_far(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    genuine = make_trials(np.random.default_rng(5).normal(4, 1, (30, 5)))
    impostor = make_crossed(5, 30, wolf=1.5)
    value = float(np.mean(impostor.scores >= 1.0))
    both, claimed = bootstrap(genuine, impostor), bootstrap(genuine, claimed_only(impostor))
    assert (both.method, claimed.method) == ("bootstrap by person in both roles", "bootstrap by person")
    wide, narrow = both.far(value, 1.0), claimed.far(value, 1.0)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert both.frr(0.1, 2.0) == claimed.frr(0.1, 2.0)


def test_unknown_sources_are_as_none(make_trials: MakeTrials) -> None:
    """Skilled forgeries: the forgers are unknown, so claimed people alone are drawn."""
    generator = np.random.default_rng(6)
    genuine, forged = make_trials(generator.normal(4, 1, (12, 5))), make_trials(generator.normal(1, 1, (12, 5)), 100)
    unknown = Trials(forged.scores, forged.claim, forged.draw, forged.probe, np.full(60, -1, np.int32))
    first, second = bootstrap(genuine, forged), bootstrap(genuine, unknown)
    assert first.method == second.method == "bootstrap by person"
    assert first.frr_at_far(0.1, 0.05) == second.frr_at_far(0.1, 0.05)


def test_some_sources_unknown(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    genuine, impostor = make_trials(np.random.default_rng(7).normal(4, 1, (10, 4))), make_crossed(7, 10)
    assert impostor.source is not None
    source = np.where(np.arange(len(impostor)) % 3 == 0, -1, impostor.source).astype(np.int32)
    partly = Trials(impostor.scores, impostor.claim, impostor.draw, impostor.probe, source)
    rate = bootstrap(genuine, partly, replicates=200).far(float(np.mean(impostor.scores >= 0.5)), 0.5)
    assert 0 < rate.low < rate.value < rate.high < 1


def test_many_impostors_are_drawn_in_groups(make_trials: MakeTrials) -> None:
    """Thousands who are never claimed: memory stays bounded, and the spread is that of one by one."""
    generator = np.random.default_rng(8)
    wolf = generator.normal(0, 1, 3000)
    source = np.tile(np.arange(3000, dtype=np.int32) + 10, 2)
    claim = np.repeat(np.array([0, 1], np.int32), 3000)
    impostor = Trials(wolf[source - 10] + generator.normal(size=6000), claim, np.zeros_like(claim), source, source)
    genuine = make_trials(generator.normal(4, 1, (2, 5)))
    found = PersonBootstrap(genuine, impostor, replicates=2000)
    assert found._impostor._beyond.shape[1] == 2 + 256
    weights = np.hstack([draw_people(2, 2000, 0), draw_people(3000, 2000, 9)])
    alone = np.arange(3002)
    one_by_one = InBothRoles(impostor.scores, claim.astype(np.int64), source.astype(np.int64) - 8, weights, alone)
    threshold = np.array([1.0])
    spreads = [np.std(each.far(threshold)) for each in (found._impostor, one_by_one)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.15)


def test_two_people(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    genuine, impostor = make_trials(np.array([[3.0, 4.0], [5.0, 1.0]])), make_crossed(9, 2)
    found = bootstrap(genuine, impostor, replicates=100)
    rate = found.equal_error(0.25)
    assert 0 <= rate.low <= 0.25 <= rate.high <= 1


def test_people_without_genuine_trials_and_failures_to_acquire(
    make_trials: MakeTrials, make_crossed: MakeCrossed
) -> None:
    impostor = make_crossed(10, 12)
    impostor.scores[::7] = -np.inf
    scores = np.random.default_rng(10).normal(4, 1, (9, 4))
    scores[:, 0] = -np.inf
    found = bootstrap(make_trials(scores), impostor, replicates=200)
    for rates in (found.frr_replicates(0.1), found.far_replicates(0.4), found.equal_error_replicates()):
        assert ((rates >= 0) & (rates <= 1)).all()
    # A quarter of the genuine probes failed: no threshold has an FRR below that, and the lowest one is taken.
    assert found.far_replicates(0.1) == pytest.approx(found.far_replicates(0.0))


def test_an_eer_by_person_moves_with_the_impostors(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    genuine = make_trials(np.random.default_rng(11).normal(2, 1, (25, 5)))
    impostor = make_crossed(11, 25, wolf=1.5)
    own = np.random.default_rng(12).uniform(0.05, 0.15, 25)
    both, fixed = (bootstrap(genuine, each).mean_over_people(own) for each in (impostor, claimed_only(impostor)))
    assert both.value == fixed.value
    assert both.high - both.low > 1.5 * (fixed.high - fixed.low)


def test_coverage_where_people_act_in_both_roles(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    """The same people claimed and impostors: the FAR is held about as often as stated, and was not with one role."""
    held = before = 0
    generator = np.random.default_rng(13)
    scores = generator.normal(size=(3, 400_000)) * np.array([[0.7], [0.7], [1.0]])
    truth = float(np.mean(scores.sum(axis=0) >= 2.0))
    genuine = make_trials(generator.normal(4, 1, (25, 4)))
    for seed in range(120):
        impostor = make_crossed(1000 + seed, 25)
        value = float(np.mean(impostor.scores >= 2.0))
        for each in (impostor, claimed_only(impostor)):
            rate = bootstrap(genuine, each, replicates=150, seed=seed).far(value, 2.0)
            inside = rate.low <= truth <= rate.high
            if each is impostor:
                held += inside
            else:
                before += inside
    assert 0.90 <= held / 120 <= 0.995
    assert before < held


def test_far_at_frr_is_found_anew(make_trials: MakeTrials, make_crossed: MakeCrossed) -> None:
    """Against a search over every score of the resample's own genuine trials."""
    g = np.random.default_rng(14).normal(3, 1, (8, 5))
    impostor = claimed_only(make_crossed(14, 8))
    found = PersonBootstrap(make_trials(g), impostor, replicates=40, seed=3)
    expected = []
    for row in draw_people(8, 40, 3).astype(int):
        genuine = np.repeat(g, row, axis=0).ravel()
        highest = max(t for t in [*g.ravel(), *impostor.scores] if frr_at(genuine, t) <= 0.2)
        drawn = np.concatenate([np.repeat(impostor.scores[impostor.claim == p], row[p]) for p in range(8)])
        expected.append(np.mean(drawn >= highest))
    assert found.far_replicates(0.2) == pytest.approx(expected, abs=1e-12)
