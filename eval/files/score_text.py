"""Scores as text: the four and five columns of Idiap's toolkits, and two plain files of one score a line.

    idiap4   claimed_id real_id test_label score
    idiap5   claimed_id model_id real_id test_label score
    plain    score, in one file of genuine and one of impostor trials

A trial is genuine where claimed and real id are the same. Text does not say what kind of impostor the others are: the
caller does, and all of one file are of one kind. `model_id` names one template of the claimed person and becomes a draw
of references. NaN is bob's convention for a probe that could not be acquired: it is written for failures, and read as
such where the caller says so.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.files.score_checks import require_distinct
from eval.files.text_columns import TextColumns, Words, read_columns
from eval.trials import KINDS, ScoreTable, TrialKind

UNKNOWN = "unknown"
"""Real id of an impostor whom nobody knows, such as a forger."""

_IDIAP_FIX = "claimed_id real_id test_label score with spaces between, or with a model_id after the first; for one "
_IDIAP_FIX += "score a line give --genuine and --impostor"
_PLAIN_FIX = "one score a line; give Idiap's four or five columns as the one FILE"


def read_idiap(path: Path, *, kind: TrialKind = TrialKind.RANDOM, nan_is_failure: bool = False) -> ScoreTable:
    """Read four or five columns, found out from the first line.

    A label that several real ids share is another probe with each of them.

    Raises
    ------
    TrialsError : as `read_columns`, or if a trial occurs twice.
    """
    columns = read_columns(path, (4, 5), nan_is_failure=nan_is_failure, fix=_IDIAP_FIX)
    claimed, *model, real, label = columns.words
    number = {name: index for index, name in enumerate(claimed.names)}
    for name in real.names:
        if name != UNKNOWN:
            number.setdefault(name, len(number))
    people = tuple(number)
    source = np.array([number.get(name, -1) for name in real.names], dtype=np.int32)[real.codes]
    genuine = source == claimed.codes
    source[~genuine & (source == number.get(UNKNOWN, -1))] = -1
    draw = _draws(claimed.codes, model[0].codes) if model else np.zeros(len(source), dtype=np.int32)
    probe, samples = _probes(real, label)
    numbered = np.where(genuine, KINDS.index(TrialKind.GENUINE), KINDS.index(kind)).astype(np.int8)
    require_distinct(
        (claimed.codes, probe, draw, numbered),
        lambda index: f"that of {people[claimed.codes[index]]!r} by {samples[probe[index]]!r}",
        field=path.name,
        names="columns but for the score",
    )
    return ScoreTable(
        people=people,
        samples=samples,
        kind=numbered,
        scores=columns.scores,
        claim=claimed.codes,
        draw=draw,
        probe=probe,
        model_digest="",
        source=source,
    )


def read_plain(
    genuine: Path, impostor: Path, *, kind: TrialKind = TrialKind.RANDOM, nan_is_failure: bool = False
) -> ScoreTable:
    """Read one file of genuine and one of impostor scores, one a line, of which nobody knows whose they are.

    Raises
    ------
    TrialsError : as `read_columns`.
    """
    sides: list[TextColumns] = [
        read_columns(path, (1,), nan_is_failure=nan_is_failure, fix=_PLAIN_FIX) for path in (genuine, impostor)
    ]
    counts = [len(side.scores) for side in sides]
    unknown = np.broadcast_to(np.int32(-1), sum(counts))
    return ScoreTable(
        people=(),
        samples=(),
        kind=np.repeat(np.array([KINDS.index(TrialKind.GENUINE), KINDS.index(kind)], np.int8), counts),
        scores=np.concatenate([side.scores for side in sides]),
        claim=unknown,
        draw=np.broadcast_to(np.int32(0), sum(counts)),
        probe=unknown,
        model_digest="",
    )


def _draws(claim: NDArray[np.int32], model: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number of each row's template among those of its claimed person, in order of appearance."""
    pairs, first, row = np.unique(claim.astype(np.int64) << 32 | model, return_index=True, return_inverse=True)
    person = pairs >> 32
    order = np.lexsort((first, person))
    number = np.empty(len(pairs), dtype=np.int32)
    number[order] = np.arange(len(pairs)) - np.searchsorted(person, person[order])
    return number[row]


def _probes(real: Words, label: Words) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Index of each row's probe and the probes' names; a label of several people gets theirs in front."""
    owner = np.full(len(label.names), -1, dtype=np.int32)
    owner[label.codes] = real.codes
    if (owner[label.codes] == real.codes).all():
        return label.codes, tuple(label.names)
    pairs, probe = np.unique(label.codes.astype(np.int64) << 32 | real.codes, return_inverse=True)
    names = tuple(f"{real.names[pair & 0xFFFFFFFF]}/{label.names[pair >> 32]}" for pair in pairs)
    return probe.astype(np.int32), names
