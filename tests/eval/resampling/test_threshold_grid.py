"""Which scores are thresholds of a resampling."""

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.resampling.threshold_grid import KEPT_WHOLE, threshold_grid


def test_few_scores_are_all_thresholds() -> None:
    genuine, impostor = np.array([3.0, 1.0, 3.0, -np.inf]), np.array([0.0, 1.0])
    assert threshold_grid(genuine, impostor) == pytest.approx([0.0, 1.0, 3.0, np.nextafter(3.0, 4.0)])


def test_many_scores_are_thinned_but_for_the_tails() -> None:
    generator = np.random.default_rng(0)
    genuine, impostor = generator.normal(3, 1, 50_000), generator.normal(0, 1, 100_000)
    grid = threshold_grid(genuine, impostor)
    assert len(grid) <= 2 * KEPT_WHOLE + 1
    assert (np.diff(grid) > 0).all()
    assert np.isin(np.sort(genuine)[:512], grid).all()
    assert np.isin(np.sort(impostor)[-512:], grid).all()
    # Between the tail and the middle, the number of impostors accepted never jumps by more than a few percent.
    accepted = len(impostor) - np.searchsorted(np.sort(impostor), grid)
    steps = -np.diff(accepted)[(accepted[:-1] > 512) & (accepted[:-1] < 50_000)]
    assert (steps <= 0.03 * accepted[:-1][(accepted[:-1] > 512) & (accepted[:-1] < 50_000)] + 1).all()


def test_one_side_may_hold_failures_alone() -> None:
    assert len(threshold_grid(np.array([-np.inf]), np.array([1.0]))) == 2
    with pytest.raises(TrialsError, match="all probes failed"):
        threshold_grid(np.array([-np.inf]), np.array([]))
