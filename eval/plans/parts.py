"""The parts that people are split into, by everybody's label, and the trials of each.

A label is `development`, `test`, or the name of a fold; it is empty for people of no part. A trial belongs to a part if
the claimed person and whoever made the probe are both of it. Where nobody knows who made it (a forger), the claimed
person decides. Trials across parts belong to none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.trials import ScoreTable, Trials

DEVELOPMENT, TEST, NEITHER = "development", "test", ""

Pair = tuple[Trials, Trials]
"""Genuine trials, and impostor trials of one kind."""


@dataclass(frozen=True)
class Part:
    """One fold, or the only split: bool (P,) of the same people; nobody is true in both."""

    development: NDArray[np.bool_]
    test: NDArray[np.bool_]


def parts_of(labels: Sequence[str]) -> tuple[Part, ...]:
    """The development and test people of every fold that `labels`, one a person, names; of one split a single part.

    Raises TrialsError unless the labels are `development` and `test`, or two folds or more, beside empty ones.
    """
    names = set(labels) - {NEITHER}
    found = np.array(labels)
    if names == {DEVELOPMENT, TEST}:
        return (Part(found == DEVELOPMENT, found == TEST),)
    if len(names) < 2 or names & {DEVELOPMENT, TEST}:
        stated = ", ".join(repr(name) for name in sorted(names)) or "none"
        raise TrialsError(
            f"people are split into development and test, or into two folds or more; found are {stated}",
            field="split",
        )
    in_any = found != NEITHER
    return tuple(Part(in_any & (found != name), found == name) for name in sorted(names, key=in_order))


def within(trials: Trials, people: NDArray[np.bool_]) -> Trials:
    """The trials of which the claimed person and, where known, the probe's are among `people`, bool (P,)."""
    return trials.where(_chosen(trials.claim, trials.source, people))


def table_within(table: ScoreTable, people: NDArray[np.bool_]) -> ScoreTable:
    """The rows of `table` that are trials `within` `people`; its people and samples keep their indices."""
    chosen = _chosen(table.claim, table.source, people)
    columns = {
        name: getattr(table, name)[chosen]
        for name in ("kind", "scores", "claim", "draw", "probe", "source")
        if getattr(table, name) is not None
    }
    return replace(table, **columns)


def _chosen(claim: NDArray[np.int32], source: NDArray[np.int32] | None, people: NDArray[np.bool_]) -> NDArray[np.bool_]:
    chosen = people[claim]
    return chosen if source is None else chosen & ((source < 0) | people[source])


def in_order(fold: str) -> tuple[int, str]:
    """Sorts `fold 2` before `fold 10`."""
    return len(fold), fold
