"""What the figures of a run are drawn from, against all of its scores."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eval.allpairs.curves import counted_curves
from eval.allpairs.measure import group_bootstrap
from eval.allpairs.rates import Rates
from eval.allpairs.tail import Tail
from eval.measures.sorted_scores import SortedScores


@pytest.fixture(scope="module")
def run(make_people: Callable[..., Any]) -> Any:
    people = make_people(people=60, samples=5)
    return people.prepared(people.model("pooled"), references=1)


@pytest.fixture(scope="module")
def whole(run: Any, counted: Any) -> Rates:
    """Rates of a sketch whose tails hold every score."""
    rates = Rates(counted(run), run.work.grid)
    assert rates.sketch.highest.is_complete
    return rates


@pytest.fixture(scope="module")
def cut(whole: Rates) -> Rates:
    """The same with the highest 500 impostor and the lowest 100 genuine scores alone."""
    tails = {
        "highest": Tail.of(whole.sketch.highest.values, 500),
        "lowest": Tail.of(whole.sketch.lowest.values, 100),
    }
    return Rates(replace(whole.sketch, **tails), whole.grid)


def test_the_curve_is_exact_in_the_tail_and_within_a_bin_elsewhere(whole: Rates, cut: Rates) -> None:
    width = whole.grid.width
    impostor, genuine = (
        np.array([whole.grid.score(position) for position in positions.astype(np.float64)])
        for positions in (whole.sketch.highest.values, -whole.sketch.lowest.values)
    )
    exact = SortedScores(genuine, impostor)
    curve = counted_curves(cut).curve
    assert 500 < len(curve.thresholds) <= 2_000 < len(impostor)
    assert (np.diff(curve.thresholds) >= 0).all()
    assert (np.diff(curve.far) <= 0).all()
    assert (np.diff(curve.frr) >= 0).all()
    assert (curve.far[0], curve.frr[-1]) == (1.0, 1.0)
    tail = cut.grid.score(cut.sketch.highest.cut)
    for threshold, far, frr in zip(curve.thresholds, curve.far, curve.frr, strict=True):
        tolerance = 1e-9 * width
        if threshold > tail:
            assert exact.far(threshold + tolerance) <= far <= exact.far(threshold - tolerance)
        assert exact.far(threshold + tolerance) <= far <= exact.far(threshold - width - tolerance)
        assert exact.frr(threshold - tolerance) <= frr <= exact.frr(threshold + width + tolerance)
    # The last false accepts are all there, one by one.
    accepted = np.unique(np.rint(curve.far * cut.impostor_trials).astype(int))
    assert accepted[:12].tolist() == list(range(12))


def test_the_histogram_holds_every_score(cut: Rates) -> None:
    histogram = counted_curves(cut).histogram
    assert histogram.genuine.sum() == cut.genuine_trials
    assert histogram.impostor.sum() == cut.impostor_trials
    edges, genuine, impostor = histogram.bars()
    assert len(genuine) == 100
    for heights in (genuine, impostor):
        assert 0.97 < (heights * np.diff(edges)).sum() <= 1 + 1e-9


def test_the_band_is_the_stated_interval(run: Any, cut: Rates) -> None:
    bootstrap = group_bootstrap(cut, cut.sketch, run.work, run.templates, replicates=50)
    assert counted_curves(cut).band is None
    band = counted_curves(cut, bootstrap).band
    assert band is not None
    assert (np.diff(band.far) > 0).all()
    assert band.far[0] == 1 / cut.impostor_trials
    for at in range(0, len(band.far), 7):
        position = cut.threshold_at_far(band.far[at])
        stated = bootstrap.frr_at_far(cut.false_rejects(position)[0] / cut.genuine_trials, band.far[at])
        assert (stated.low, stated.high) == (band.low[at], band.high[at])
