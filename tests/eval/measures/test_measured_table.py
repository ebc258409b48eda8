"""What follows from a table alone: kinds apart, development people, groups, and tables that show nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.measures.measured_table import measure_table, require_apart
from eval.measures.metrics import far_at, frr_at, threshold_at_far
from eval.trials import ScoreTable, TrialKind

MakeTable = Callable[..., ScoreTable]
FEW = 200


@pytest.fixture
def make_scored(make_table: MakeTable) -> Callable[..., ScoreTable]:
    """``make_scored(seed, "skilled", …)``: 20 people with 6 genuine and 30 probes of every kind named."""

    def make(seed: int, *kinds: str) -> ScoreTable:
        generator = np.random.default_rng(seed)
        impostors = {kind: generator.normal(0.0, 1.0, (20, 30)) for kind in kinds}
        return make_table(genuine=generator.normal(2.5, 1.0, (20, 6)), **impostors)

    return make


def renamed(table: ScoreTable, prefix: str) -> ScoreTable:
    return replace(table, people=tuple(prefix + person for person in table.people))


def test_kinds_are_measured_apart(make_scored: Callable[..., ScoreTable]) -> None:
    table = make_scored(0, "random", "skilled")
    both = measure_table(table, replicates=FEW)
    assert list(both.blocks) == [TrialKind.RANDOM, TrialKind.SKILLED]
    alone = replace(
        table, **{name: getattr(table, name)[table.kind != 2] for name in ("kind", "scores", "claim", "draw", "probe")}
    )
    assert measure_table(alone, replicates=FEW).blocks[TrialKind.RANDOM] == both.blocks[TrialKind.RANDOM]
    assert both.blocks[TrialKind.RANDOM].trials.impostor == 600


def test_thresholds_of_development_scores_are_reported_on_test_scores(make_scored: Callable[..., ScoreTable]) -> None:
    test, development = make_scored(1, "random"), renamed(make_scored(2, "random"), "d")
    block = measure_table(test, development=development, replicates=FEW).blocks[TrialKind.RANDOM]
    assert [row.target_far for row in block.at_development] == [row.far for row in block.frr_at_far]
    for row in block.at_development:
        threshold = threshold_at_far(development.of(TrialKind.RANDOM).scores, row.target_far)
        assert row.thresholds == (threshold,)
        assert row.achieved_far.value == far_at(test.of(TrialKind.RANDOM).scores, threshold)
        assert row.frr.value == frr_at(test.of(TrialKind.GENUINE).scores, threshold)


def test_a_kind_without_development_scores_keeps_its_own_thresholds_alone(
    make_scored: Callable[..., ScoreTable],
) -> None:
    development = renamed(make_scored(2, "random"), "d")
    blocks = measure_table(make_scored(1, "random", "skilled"), development=development, replicates=FEW).blocks
    assert blocks[TrialKind.RANDOM].at_development
    assert not blocks[TrialKind.SKILLED].at_development


def test_a_split_in_the_table_is_used_where_people_can_be_kept_apart(make_scored: Callable[..., ScoreTable]) -> None:
    table = make_scored(3, "skilled")
    split = replace(table, splits=("development", "test") * 10)
    block = measure_table(split, replicates=FEW).blocks[TrialKind.SKILLED]
    assert block.at_development[0].frr.trials == 60
    assert (block.trials.genuine, block.trials.people) == (60, 10)  # nor are a-posteriori rates those of development
    unknown_makers = replace(make_scored(3, "random"), splits=("development", "test") * 10)
    assert not measure_table(unknown_makers, replicates=FEW).blocks[TrialKind.RANDOM].at_development


def test_groups_of_the_table_are_measured(make_scored: Callable[..., ScoreTable]) -> None:
    table = replace(make_scored(4, "random"), groups={"group_site": ("north", "south") * 10})
    (column,) = measure_table(table, replicates=FEW).blocks[TrialKind.RANDOM].groups
    assert [row.group for row in column.rows] == ["north", "south"]


def test_a_person_on_both_sides_is_refused(make_scored: Callable[..., ScoreTable]) -> None:
    table = make_scored(5, "random")
    others = renamed(table, "d")
    require_apart(others, table)
    shared = replace(others, people=(*others.people[1:], "p003"))
    with pytest.raises(TrialsError, match="1 people are in both the development and the test scores, such as 'p003'"):
        measure_table(table, development=shared, replicates=FEW)
    with pytest.raises(TrialsError, match="of another model"):
        require_apart(replace(others, model_digest="m"), table)


@pytest.mark.parametrize(("kinds", "match"), [({"genuine"}, "no impostor"), ({"random"}, "no genuine")])
def test_one_class_only_is_refused(make_table: MakeTable, kinds: set[str], match: str) -> None:
    table = make_table(**{kind: np.ones((3, 2)) for kind in kinds})
    with pytest.raises(TrialsError, match=match):
        measure_table(table)


def test_development_scores_of_another_kind_are_refused(make_scored: Callable[..., ScoreTable]) -> None:
    with pytest.raises(TrialsError, match=r"development: .* no random impostor trials"):
        measure_table(make_scored(6, "random"), development=renamed(make_scored(7, "skilled"), "d"))
