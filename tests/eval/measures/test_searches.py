"""1:N searches out of 1:1 trials, against a loop over probes."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.measures.searches import Searches, complete_searches
from eval.trials import KINDS, ScoreTable, TrialKind

GENUINE, RANDOM, SKILLED = range(len(KINDS))

Row = tuple[int, float, int, int, int]
"""kind, score, claim, draw, probe."""


def table_of(rows: list[Row], people: int, samples: int, source: np.ndarray | None = None) -> ScoreTable:
    kind, scores, claim, draw, probe = zip(*rows, strict=True)
    columns = (np.array(column, np.int32) for column in (claim, draw, probe))
    return ScoreTable(
        tuple(f"p{index}" for index in range(people)),
        tuple(f"s{index}" for index in range(samples)),
        np.array(kind, np.int8),
        np.array(scores, np.float64),
        *columns,
        "model",
        source=None if source is None else source[np.array(probe)].astype(np.int32),
    )


def naive(table: ScoreTable) -> list[tuple[int, int, int, bool, float, float, float]]:
    """draw, probe, owner, mated, mate, best, rank of every complete search, one probe at a time."""
    rows = list(zip(table.kind, table.scores, table.claim, table.draw, table.probe, strict=True))
    galleries: dict[int, set[int]] = {}
    for _, _, claim, draw, _ in rows:
        galleries.setdefault(draw, set()).add(claim)
    largest = max(len(gallery) for gallery in galleries.values())
    found = []
    for draw, gallery in sorted(galleries.items()):
        for probe in sorted(set(table.probe)):
            own = [claim for kind, _, claim, _, at in rows if at == probe and kind == GENUINE]
            owner = own[0] if own else -1
            if owner < 0 and table.source is not None:
                owner = max(
                    (int(s) for s, at in zip(table.source, table.probe, strict=True) if at == probe), default=-1
                )
            met = {claim: score for kind, score, claim, d, at in rows if (d, at) == (draw, probe) and kind != SKILLED}
            others = [score for claim, score in met.items() if claim != owner]
            if len(gallery) < 2 or len(gallery) < 0.9 * largest or not met:
                continue
            if set(met) - {owner} != gallery - {owner}:
                continue
            mated = owner in met
            mate = met[owner] if mated else nan
            rank = 1 + sum(score >= mate for score in others) if mated and mate > -inf else inf
            identity = owner if owner >= 0 else len(table.people) + probe
            found.append((int(draw), int(probe), int(identity), mated, mate, max(others), float(rank)))
    return found


def rows_of(searches: Searches | None) -> list[tuple[int, int, int, bool, float, float, float]]:
    if searches is None:
        return []
    columns = (searches.draw, searches.probe, searches.owner, searches.mated, searches.mate, searches.best)
    return list(zip(*(column.tolist() for column in (*columns, searches.rank)), strict=True))


@st.composite
def tables(draw: st.DrawFn) -> ScoreTable:
    """A few people, each with a few samples of which one enrolls; trials and whole claims go missing at random."""
    people, per_person, draws = draw(st.integers(2, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    lost = draw(st.sets(st.tuples(st.integers(0, draws - 1), st.integers(0, people - 1)), max_size=2))
    scores = st.sampled_from([-inf, -1.0, 0.0, 0.5, 2.0])
    rows: list[Row] = []
    for turn in range(draws):
        for claim in range(people):
            for probe in range(people * per_person):
                own = probe // per_person == claim
                reference = own and probe % per_person == turn % per_person
                if (turn, claim) in lost or reference or draw(st.integers(0, 30)) == 0:
                    continue
                rows.append((GENUINE if own else RANDOM, draw(scores), claim, turn, probe))
    rows.append((SKILLED, 1.0, 0, 0, people * per_person))
    source = np.append(np.arange(people * per_person) // per_person, -1) if draw(st.booleans()) else None
    return table_of(draw(st.permutations(rows)), people, people * per_person + 1, source)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_searches_are_those_of_a_loop_over_probes(table: ScoreTable) -> None:
    np.testing.assert_equal(rows_of(complete_searches(table)), naive(table))


def square(scores: list[list[float]]) -> list[Row]:
    """Trials of one draw; `scores[probe][claim]`, probe p being person p's."""
    return [
        (GENUINE if probe == claim else RANDOM, score, claim, 0, probe)
        for probe, line in enumerate(scores)
        for claim, score in enumerate(line)
    ]


def test_ranks_count_ties_against_the_mate_and_failures_are_never_found() -> None:
    searches = complete_searches(
        table_of(square([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [-inf, -inf, -inf]]), people=3, samples=3)
    )
    assert searches is not None
    assert searches.rank.tolist() == [1.0, 3.0, inf]
    assert searches.best.tolist() == [2.0, 1.0, -inf]
    assert (searches.gallery, searches.smallest_gallery) == (3, 3)


def test_a_reference_is_a_non_mated_probe_only() -> None:
    rows = [row for row in square([[3.0, 1.0], [0.0, 4.0]]) if row[2:] != (0, 0, 0)]
    searches = complete_searches(table_of(rows, 2, 2, source=np.array([0, 1])))
    assert searches is not None
    assert searches.mated.tolist() == [False, True]
    assert searches.best.tolist() == [1.0, 0.0]
    assert searches.owner.tolist() == [0, 1]


def test_a_probe_of_nobody_enrolled_is_non_mated_whoever_made_it() -> None:
    rows = [*square([[3.0, 1.0], [0.0, 4.0]]), (RANDOM, 0.5, 0, 0, 2), (RANDOM, 0.7, 1, 0, 2)]
    unknown, known = (complete_searches(table_of(rows, 3, 3, source=source)) for source in (None, np.array([0, 1, 2])))
    assert unknown is not None
    assert known is not None
    assert unknown.owner.tolist() == [0, 1, 5]
    assert known.owner.tolist() == [0, 1, 2]
    assert known.mated.tolist() == [True, True, False]
    assert known.best.tolist() == [1.0, 0.0, 0.7]


def test_draws_of_far_smaller_galleries_are_left_out() -> None:
    large = square((np.eye(10) * 5).tolist())
    nine = [(kind, score, claim, 1, probe) for kind, score, claim, _, probe in large if claim != 9]
    eight = [(kind, score, claim, 2, probe) for kind, score, claim, _, probe in nine if claim != 8]
    searches = complete_searches(table_of([*large, *nine, *eight], 10, 10))
    assert searches is not None
    assert np.bincount(searches.draw).tolist() == [10, 10]
    assert int(searches.mated.sum()) == 19
    assert (searches.gallery, searches.smallest_gallery) == (10, 9)


def test_incomplete_or_nameless_trials_are_no_searches() -> None:
    rows = square([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    gaps = {(1, 0, 0), (2, 0, 1), (0, 0, 2)}
    assert complete_searches(table_of([row for row in rows if row[2:] not in gaps], 3, 3)) is None
    table = table_of(rows, 3, 3)
    assert complete_searches(replace(table, claim=np.full(9, -1, np.int32))) is None
    assert complete_searches(replace(table, kind=np.full(9, KINDS.index(TrialKind.SKILLED), np.int8))) is None
    assert complete_searches(table_of([(GENUINE, 1.0, 0, 0, 0)], 1, 1)) is None


def test_a_repeated_trial_is_an_error() -> None:
    rows = square([[3.0, 1.0], [0.0, 4.0]])
    with pytest.raises(TrialsError, match="scored twice"):
        complete_searches(table_of([*rows, rows[1]], 2, 2))
