"""Rates by group of the claimed people, at one threshold for everybody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.corpora.corpus import Row
from eval.measures.group_rates import UNKNOWN, group_columns, person_groups
from eval.measures.metrics import far_at, frr_at, threshold_at_far
from eval.results.kind_results import GroupColumn
from eval.trials import ScoreTable, TrialKind

MakeTable = Callable[..., ScoreTable]


@pytest.fixture
def grouped(make_table: MakeTable) -> ScoreTable:
    """Four people a, four b, one c, one of no known group; b's scores are closer together."""
    generator = np.random.default_rng(0)
    shift = np.repeat([2.0, 1.0, 2.0, 2.0], [4, 4, 1, 1])[:, None]
    table = make_table(
        genuine=generator.normal(shift, 1, (10, 30)),
        random=generator.normal(-shift, 1, (10, 90)),
        skilled=generator.normal(0, 1, (10, 5)),
    )
    source = np.full(len(table), -1, np.int32)
    source[table.kind == 0] = table.claim[table.kind == 0]
    source[table.kind == 1] = (table.claim[table.kind == 1] + 1 + np.arange(900) % 9) % 10
    return replace(table, source=source, groups={"group_x": (*"aaaabbbbc", "")})


def only(columns: tuple[GroupColumn, ...]) -> GroupColumn:
    (column,) = columns
    return column


def test_rates_are_those_of_the_group_at_the_threshold_of_all(grouped: ScoreTable) -> None:
    column = only(group_columns(grouped, TrialKind.RANDOM, far=0.05, replicates=100))
    genuine, impostor = grouped.of(TrialKind.GENUINE), grouped.of(TrialKind.RANDOM)
    assert column.threshold == threshold_at_far(impostor.scores, 0.05)
    assert [(row.group, row.people, row.genuine, row.impostor) for row in column.rows] == [
        ("a", 4, 120, 360),
        ("b", 4, 120, 360),
        ("c", 1, 30, 90),
        (UNKNOWN, 1, 30, 90),
    ]
    for row, people in zip(column.rows, (range(4), range(4, 8)), strict=False):
        own, others = (trials.where(np.isin(trials.claim, people)) for trials in (genuine, impostor))
        assert others.source is not None
        within = others.where(np.isin(others.source, people))
        assert row.frr is not None
        assert row.far is not None
        assert row.far_within is not None
        assert row.frr.value == frr_at(own.scores, column.threshold)
        assert row.far.value == far_at(others.scores, column.threshold)
        assert row.far_within.value == far_at(within.scores, column.threshold)
        assert (row.frr.trials, row.far.trials, row.far_within.trials) == (120, 360, len(within))
        assert 0 < len(within) < 360
        assert row.frr.low < row.frr.value < row.frr.high


def test_the_ratio_is_of_named_groups_with_rates(grouped: ScoreTable) -> None:
    column = only(group_columns(grouped, TrialKind.RANDOM, far=0.1, replicates=50))
    a, b, c, unknown = column.rows
    assert a.far is not None
    assert b.far is not None
    assert c.frr is c.far is unknown.frr is unknown.far is None  # one person each
    assert column.far_ratio == pytest.approx(b.far.value / a.far.value)
    assert column.far_ratio > 2
    assert column.frr_ratio is not None
    assert column.frr_ratio > 1


def test_a_ratio_by_zero_does_not_exist(make_table: MakeTable) -> None:
    genuine, random = np.full((4, 10), 5.0), np.zeros((4, 10))
    genuine[2:, 0] = -1.0
    random[:, 0] = [1.0, 1.0, 1.0, 1.0]
    table = replace(make_table(genuine=genuine, random=random), groups={"group_x": tuple("aabb")})
    column = only(group_columns(table, TrialKind.RANDOM, far=0.1, replicates=50))
    assert column.frr_ratio is None
    assert column.far_ratio == 1.0
    assert all(row.far_within is None for row in column.rows)  # nobody knows who the impostors are


def test_unknown_people_are_rated_but_in_no_ratio(grouped: ScoreTable) -> None:
    table = replace(grouped, groups={"group_x": ("a",) * 6 + ("",) * 2 + (UNKNOWN,) * 2})
    column = only(group_columns(table, TrialKind.RANDOM, replicates=50))
    assert [(row.group, row.people) for row in column.rows] == [("a", 6), (UNKNOWN, 4)]
    assert column.rows[1].far is not None
    assert column.rows[1].far_within is None
    assert column.far_ratio is column.frr_ratio is None


def test_columns_without_a_known_value_are_left_out(grouped: ScoreTable) -> None:
    assert group_columns(replace(grouped, groups={}), TrialKind.RANDOM) == ()
    assert group_columns(replace(grouped, groups={"group_x": ("",) * 10}), TrialKind.RANDOM) == ()
    nameless = replace(grouped, claim=np.full(len(grouped), -1, np.int32))
    assert group_columns(nameless, TrialKind.RANDOM) == ()


def test_skilled_forgeries_have_rates_of_their_own_but_no_group(grouped: ScoreTable) -> None:
    row = only(group_columns(grouped, TrialKind.SKILLED, far=0.2, replicates=50)).rows[0]
    assert row.impostor == 20
    assert row.far is not None
    assert row.far_within is None


def test_evidence_is_thirty_expected_errors_in_every_group(make_table: MakeTable) -> None:
    """10 % of either kind err: two groups of 300 genuine and 300 impostor trials expect 30, one of 299 does not."""
    genuine, random = np.ones((10, 60)), np.zeros((10, 60))
    genuine[:, :6], random[:, :6] = -1.0, 2.0
    table = replace(make_table(genuine=genuine, random=random), groups={"group_x": tuple("aaaaabbbbb")})
    assert not only(group_columns(table, TrialKind.RANDOM, far=0.1, replicates=50)).beyond_evidence
    smaller = replace(table, groups={"group_x": tuple("aaaaaabbbb")})
    assert only(group_columns(smaller, TrialKind.RANDOM, far=0.1, replicates=50)).beyond_evidence


def test_failures_are_rejections_in_their_group(make_table: MakeTable) -> None:
    genuine, random = np.ones((4, 10)), np.zeros((4, 10))
    genuine[2:] = -np.inf
    random[2:] = -np.inf
    table = replace(make_table(genuine=genuine, random=random), groups={"group_x": tuple("aabb")})
    a, b = only(group_columns(table, TrialKind.RANDOM, far=0.5, replicates=50)).rows
    assert (a.frr.value, b.frr.value) == (0.0, 1.0)
    assert (a.far.value, b.far.value) == (1.0, 0.0)


def row(person: str, number: int, kind: str = "genuine", **groups: str) -> Row:
    name = f"{person}/{kind}{number}"
    return Row(id=name, path=Path(name), person=person, kind=kind, groups={f"group_{k}": v for k, v in groups.items()})


def test_a_person_has_the_group_that_all_their_samples_have() -> None:
    rows = [
        row("ann", 0, age="20", sex="f"),
        row("ann", 1, age="30", sex="f"),
        row("bob", 0, age="20", sex=""),
        row("bob", 1, age="20"),
        row("bob", 2, "forgery", age="60", sex="f"),
        row("cid", 0, "forgery", sex="m"),
    ]
    assert person_groups(rows, ("ann", "bob", "cid", "dee")) == {
        "group_age": ("", "20", "", ""),
        "group_sex": ("f", "", "m", ""),
    }
    assert person_groups([row("ann", 0)], ("ann",)) == {}
