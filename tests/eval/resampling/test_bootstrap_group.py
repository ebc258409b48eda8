"""Counts by group of people: the same as people where every group is one, and the edges."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.resampling.bootstrap import GroupBootstrap, PersonBootstrap
from eval.trials import Trials

Counts = dict[str, NDArray[np.int64]]


@pytest.fixture
def counts() -> Counts:
    """Counts of 12 groups on a grid of every score."""
    generator = np.random.default_rng(0)
    g = generator.normal(3, 1, (12, 6)) + generator.normal(0, 1, (12, 1))
    i = generator.normal(0, 1, (12, 40)) + generator.normal(0, 1, (12, 1))
    grid = np.unique(np.concatenate([g.ravel(), i.ravel(), [20.0]]))
    return {
        "genuine": g,
        "impostor": i,
        "grid": grid,
        "below": (g[:, :, None] < grid).sum(axis=1),
        "above": (i[:, :, None] >= grid).sum(axis=1),
    }


def made(counts: Counts, **more: object) -> GroupBootstrap:
    trials = [np.full(12, 6), np.full(12, 40)]
    options: dict[str, object] = {"comparisons": (72, 480), "replicates": 100, "seed": 4} | more
    return GroupBootstrap.from_counts(counts["grid"], counts["below"], counts["above"], *trials, **options)


def test_a_group_of_one_person_is_that_person(counts: Counts, make_trials: Callable[..., Trials]) -> None:
    """Read at grid points, as the group's rates are otherwise interpolated."""
    groups = made(counts)
    people = PersonBootstrap(make_trials(counts["genuine"]), make_trials(counts["impostor"]), replicates=100, seed=4)
    assert groups.method == "bootstrap by group of people"
    for threshold in counts["grid"][[50, 300, 500]]:
        assert groups.far(0.2, threshold) == people.far(0.2, threshold)
        assert groups.frr(0.2, threshold) == people.frr(0.2, threshold)
    assert groups.equal_error_replicates() == pytest.approx(people.equal_error_replicates(), abs=1e-12)
    assert groups.auc_replicates() == pytest.approx(people.auc_replicates(), abs=1e-12)
    assert groups.frr_replicates(0.1) == pytest.approx(people.frr_replicates(0.1), abs=1 / 72 * 3)


def test_a_coarse_grid_is_read_in_a_straight_line() -> None:
    """FAR falls from 1 to 0 in two steps while FRR rises: half of the first step's FAR is half of its FRR."""
    grid = np.array([0.0, 1.0, 2.0])
    below, above = np.array([[0, 4, 10], [0, 4, 10]]), np.array([[10, 2, 0], [10, 2, 0]])
    trials = np.array([10, 10])
    found = GroupBootstrap.from_counts(grid, below, above, trials, trials, comparisons=(20, 20), replicates=5)
    assert found.frr_replicates(0.2) == pytest.approx(np.full(5, 0.4))
    assert found.frr_replicates(0.6) == pytest.approx(np.full(5, 0.2))
    assert found.far_replicates(0.4) == pytest.approx(np.full(5, 0.2))
    assert found.far_replicates(0.7) == pytest.approx(np.full(5, 0.1))
    assert found.frr_replicates(1.0) == pytest.approx(np.zeros(5))
    assert found.far_replicates(1.0) == pytest.approx(np.zeros(5))


def test_impostors_known_by_group_are_drawn_too(counts: Counts) -> None:
    """Wolves among the groups: their counts as impostors widen the FAR's interval and nothing of a fixed FRR's."""
    wolves = np.random.default_rng(1).dirichlet(np.full(12, 0.5))
    total = counts["above"].sum(axis=0)
    acting = np.round(np.outer(wolves, total)).astype(np.int64)
    both = made(counts, acting_at_or_above=acting, acting_trials=np.full(12, 40))
    fixed = made(counts)
    assert both.method == "bootstrap by group of people in both roles"
    threshold, value = counts["grid"][300], float(total[300] / 480)
    wide, narrow = both.far(value, threshold), fixed.far(value, threshold)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    assert both.frr(0.2, threshold) == fixed.frr(0.2, threshold)


def test_counts_of_other_shapes_are_refused(counts: Counts) -> None:
    with pytest.raises(TrialsError, match="counts are not of 12 groups"):
        made(counts | {"above": counts["above"][:, 1:]})
    with pytest.raises(TrialsError, match="counts are not of 12 groups"):
        made(counts, acting_at_or_above=counts["above"][1:], acting_trials=np.full(11, 40))


def test_one_group_or_no_trials_have_no_interval(counts: Counts) -> None:
    one = {name: values[:1] for name, values in counts.items() if name in ("below", "above")}
    with pytest.raises(TrialsError, match="at least two groups"):
        GroupBootstrap.from_counts(counts["grid"], one["below"], one["above"], [6], [40], comparisons=(6, 40))
    with pytest.raises(TrialsError, match="genuine and impostor"):
        GroupBootstrap.from_counts(
            counts["grid"], counts["below"], counts["above"], np.zeros(12), np.full(12, 40), comparisons=(1, 480)
        )


def test_people_are_not_known(counts: Counts) -> None:
    with pytest.raises(TrialsError, match="no rate by person"):
        made(counts).mean_over_people(np.zeros(12))
