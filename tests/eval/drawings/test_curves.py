"""What figures are drawn from."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.drawings.curves import ScoreHistogram, curves_of, thin
from eval.measures.metrics import error_curve, far_at, frr_at
from eval.resampling.bootstrap import PersonBootstrap
from eval.trials import Trials

MakeTrials = Callable[..., Trials]


@pytest.fixture
def trials(make_trials: MakeTrials) -> tuple[Trials, Trials]:
    generator = np.random.default_rng(0)
    genuine, impostor = generator.normal(2, 1, (20, 40)), generator.normal(-2, 1, (20, 900))
    genuine[0, 0] = impostor[3, 5] = -np.inf
    return make_trials(genuine), make_trials(impostor, 800)


def test_the_curve_is_exact_at_few_thresholds(trials: tuple[Trials, Trials]) -> None:
    genuine, impostor = trials
    curve = curves_of(genuine, impostor).curve
    assert len(curve.thresholds) < 2_000 < len(genuine) + len(impostor)
    for at in range(0, len(curve.thresholds), 97):
        assert curve.far[at] == far_at(impostor.scores, curve.thresholds[at])
        assert curve.frr[at] == frr_at(genuine.scores, curve.thresholds[at])


def test_a_thinned_curve_stays_on_the_whole_one(trials: tuple[Trials, Trials]) -> None:
    whole = error_curve(trials[0].scores, trials[1].scores)
    far, frr = thin(whole.far, whole.frr)
    assert len(far) <= 400
    assert (far > 0).all()
    assert set(zip(far, frr, strict=True)) <= set(zip(whole.far, whole.frr, strict=True))
    assert far.min() == whole.far[whole.far > 0].min()


def test_the_band_is_the_stated_interval(trials: tuple[Trials, Trials]) -> None:
    bootstrap = PersonBootstrap(*trials, replicates=40)
    band = curves_of(*trials, bootstrap).band
    assert band is not None
    assert (np.diff(band.far) > 0).all()
    for far, low, high in zip(band.far[::9], band.low[::9], band.high[::9], strict=True):
        stated = bootstrap.frr_at_far(frr_at(trials[0].scores, np.sort(trials[1].scores)[-round(far * 18_000)]), far)
        assert (stated.low, stated.high) == (low, high)


def test_the_bars_of_either_side_have_nearly_all_of_its_scores(trials: tuple[Trials, Trials]) -> None:
    edges, genuine, impostor = curves_of(*trials).histogram.bars()
    for heights in (genuine, impostor):
        assert 0.97 < (heights * np.diff(edges)).sum() <= 1 + 1e-9
    assert edges[np.argmax(impostor)] < 0 < edges[np.argmax(genuine)]


def test_counted_bars_leave_outliers_out() -> None:
    counts = np.zeros(4_000, np.int64)
    counts[0], counts[2_000:2_100] = 1, 100
    edges, genuine, _ = ScoreHistogram(np.linspace(-200, 200, 4_001), counts, counts).bars()
    assert -1 < edges[0] < 0.5
    assert 9 < edges[-1] < 11
    assert (genuine * np.diff(edges)).sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("value", [0.0, -3.5])
def test_scores_that_are_all_alike_have_bars(make_trials: MakeTrials, value: float) -> None:
    edges, genuine, _ = curves_of(
        make_trials(np.full((3, 4), value)), make_trials(np.full((3, 4), value), 12)
    ).histogram.bars()
    assert edges[0] < value < edges[-1]
    assert (genuine * np.diff(edges)).sum() == pytest.approx(1)


def test_edges_and_counts_must_agree() -> None:
    with pytest.raises(TrialsError, match="one more than it has counts"):
        ScoreHistogram(np.arange(4.0), np.arange(4), np.arange(4))
    with pytest.raises(TrialsError, match="ascending"):
        ScoreHistogram(np.array([0.0, 2.0, 1.0]), np.arange(2), np.arange(2))
