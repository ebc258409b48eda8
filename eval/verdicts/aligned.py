"""Score tables of several models in one numbering of people and samples, so that resamples of people are the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.trials import KINDS, ScoreTable, TrialKind

Indices = NDArray[np.int32]


def align(tables: Mapping[str, ScoreTable]) -> dict[str, ScoreTable]:
    """The same tables with `people` and `samples` the sorted names of all of them.

    Who made the probes is kept where every table tells: resampling people in both roles for one model and in one role
    for another would pair nothing. Raises TrialsError unless every table claims the same people.
    """
    for name, table in tables.items():
        if len(table) and table.claim[0] < 0:
            raise TrialsError(
                f"the scores of {name} do not tell who was claimed", field="claim", fix="models are compared by person"
            )
    people = sorted({person for table in tables.values() for person in table.people})
    samples = sorted({sample for table in tables.values() for sample in table.samples})
    aligned = {name: _renumbered(table, people, samples) for name, table in tables.items()}
    if any(table.source is None for table in aligned.values()):
        aligned = {name: replace(table, source=None) for name, table in aligned.items()}
    (first, reference), *others = aligned.items()
    for name, table in others:
        _require_same_people(first, reference, name, table)
    return aligned


def same_claimed(tables: Iterable[ScoreTable], kind: TrialKind) -> bool:
    """Whether genuine trials and those of `kind` claim the same people in every table; else no resample is shared."""
    claimed = [
        np.unique(table.claim[np.isin(table.kind, [KINDS.index(TrialKind.GENUINE), KINDS.index(kind)])])
        for table in tables
    ]
    return all(np.array_equal(claimed[0], other) for other in claimed)


def trials_apart(first: ScoreTable, second: ScoreTable) -> int:
    """How many trials (kind, claim, draw, probe) are in one of two aligned tables only."""
    return int(np.setxor1d(_keys(first), _keys(second)).size)


def _renumbered(table: ScoreTable, people: Sequence[str], samples: Sequence[str]) -> ScoreTable:
    place = _places(table.people, people)
    return replace(
        table,
        people=tuple(people),
        samples=tuple(samples),
        claim=place[table.claim],
        probe=_places(table.samples, samples)[table.probe],
        source=None if table.source is None else place[table.source],
        groups={},
        splits=None,
    )


def _places(names: Sequence[str], everything: Sequence[str]) -> Indices:
    """Index into `everything` of each name, int32 (len(names) + 1,); the last one, which -1 reads, stays -1."""
    number = {name: index for index, name in enumerate(everything)}
    return np.array([*(number[name] for name in names), -1], dtype=np.int32)


def _require_same_people(first: str, reference: ScoreTable, name: str, table: ScoreTable) -> None:
    missing = np.setdiff1d(reference.claim, table.claim).size
    added = np.setdiff1d(table.claim, reference.claim).size
    if missing or added:
        raise TrialsError(
            f"{missing + added} claimed people differ: {missing} are only in {first}, {added} only in {name}",
            field="claim",
            fix="measure both on the same corpus with the same protocol",
        )


def _keys(table: ScoreTable) -> NDArray[np.void]:
    columns = np.column_stack([table.kind.astype(np.int32), table.claim, table.draw, table.probe]).astype(np.int32)
    return np.ascontiguousarray(columns).view(np.dtype((np.void, columns.dtype.itemsize * columns.shape[1]))).ravel()
