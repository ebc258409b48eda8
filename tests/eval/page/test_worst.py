"""The errors worth looking at."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from eval.page.worst import WorstError, worst_errors
from eval.trials import ScoreTable, TrialKind

MakeTable = Callable[..., ScoreTable]


def test_only_wrong_decisions_are_listed_worst_first(make_table: MakeTable) -> None:
    table = make_table(
        genuine=np.array([[3.0, -2.0, 0.0], [1.0, -np.inf, -5.0]]), random=np.array([[0.5, 4.0, 1.0], [-9.0, 2.0, 0.9]])
    )
    rejected = worst_errors(table, TrialKind.GENUINE, 1.0)
    assert [(row.claim, row.score) for row in rejected] == [("p001", -5.0), ("p000", -2.0), ("p000", 0.0)]
    accepted = worst_errors(table, TrialKind.RANDOM, 1.0)
    assert [(row.probe, row.score) for row in accepted] == [("s000007", 4.0), ("s000010", 2.0), ("s000008", 1.0)]
    assert len(worst_errors(table, TrialKind.RANDOM, 1.0, most=2)) == 2
    assert worst_errors(table, TrialKind.RANDOM, 5.0) == []


def test_draws_of_one_pair_are_told_together(make_table: MakeTable) -> None:
    table = make_table(genuine=np.array([[3.0, -2.0, 0.0, -1.0]]), random=np.zeros((1, 1)))
    table = replace(table, probe=np.array([0, 1, 1, 0, 4], np.int32))
    assert worst_errors(table, TrialKind.GENUINE, 0.0) == [
        WorstError(claim="p000", probe="s000001", score=-1.0, wrong=1, draws=2),
        WorstError(claim="p000", probe="s000000", score=1.0, wrong=1, draws=2),
    ]
