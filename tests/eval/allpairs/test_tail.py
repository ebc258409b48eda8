"""Tails and sketches: what merges keep, in any order."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.allpairs.sketch import ScoreSketch, merged
from eval.allpairs.tail import Tail, TailBuilder

VALUES = st.lists(st.integers(-20, 20).map(float), max_size=30)


def tail_of(values: list[float], limit: int) -> Tail:
    return Tail.of(np.array(values, np.float32), limit)


@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_grouping_of_merges_ends_in_the_same_tail(lots: list[list[float]], limit: int, random: Any) -> None:
    whole = tail_of([value for lot in lots for value in lot], limit)
    tails = [tail_of(lot, limit) for lot in lots]
    assert reduce(Tail.merge, tails) == whole
    random.shuffle(tails)
    assert reduce(lambda later, earlier: earlier.merge(later), tails) == whole
    builder = TailBuilder(limit)
    for lot in lots:
        builder.add(np.array(lot, np.float32))
    assert builder.tail() == whole


@given(VALUES, st.integers(1, 12))
def test_a_tail_holds_the_highest_and_whole_ties(values: list[float], limit: int) -> None:
    tail = tail_of(values, limit)
    assert len(tail.values) <= limit
    assert tail.values.tolist() == sorted(value for value in values if value > tail.cut)
    assert tail.is_complete == (len(values) <= limit)
    for position in {*values, tail.cut + 0.5}:
        if tail.knows(position):
            assert tail.at_or_above(position) == sum(value >= position for value in values)


def test_tails_of_other_limits_do_not_merge() -> None:
    with pytest.raises(ValueError, match="do not merge"):
        tail_of([1.0], 2).merge(tail_of([1.0], 3))


def sketch_of(seed: int) -> ScoreSketch:
    generator = np.random.default_rng(seed)
    groups = np.unique(generator.integers(0, 4, 3))
    return ScoreSketch(
        groups=groups,
        counts=generator.integers(0, 2**50, (2, len(groups), 6)),
        acting=generator.integers(0, 2**50, (4, 3)),
        failed=generator.integers(0, 9, (2, len(groups))),
        highest=Tail.of(generator.normal(size=20).astype(np.float32), 7),
        lowest=Tail.of(generator.normal(size=5).astype(np.float32), 7),
    )


@given(st.permutations(range(4)))
def test_sketches_merge_in_any_order(order: list[int]) -> None:
    a, b, c, d = (sketch_of(seed) for seed in order)
    whole = merged(sketch_of(seed) for seed in range(4))
    assert merged([a, b, c, d]) == whole
    assert a.merge(b.merge(c)).merge(d) == whole
    assert a.merge(b).merge(c.merge(d)) == whole
    assert whole.trials.sum() == sum(sketch_of(seed).trials.sum() for seed in range(4))


def test_a_sketch_equals_no_other(make_people: Callable[..., Any]) -> None:
    assert sketch_of(1) != sketch_of(2)
    with pytest.raises(ValueError, match="no sketches"):
        merged([])
