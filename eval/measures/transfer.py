"""Thresholds set on development people, and the rates they have on test people.

For a target FAR the threshold is the lowest whose FAR on the development trials is at most the target
(`eval.measures.metrics.threshold_at_far`); FAR and FRR are then those of the test trials. No score of a test person has
a say in it, so that, unlike a threshold chosen after the fact, it is what a service could have done.

A trial belongs to a part as `eval.plans.parts.within` says; trials across parts are left out.

With folds, the threshold t_k of fold k comes from the people of all other folds, and the errors are summed over folds.
Deciding `score >= t_k` is deciding `score - t_k >= 0`, in floating point too, since a difference is 0 only of equal
numbers. So the intervals are those of the shifted scores at threshold 0. They hold the thresholds fixed: they speak of
other test people, not of other development people.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from encode.errors import TrialsError
from eval.measures.metrics import threshold_at_far
from eval.measures.rates import counted_far, counted_frr, supports
from eval.plans.parts import Pair, parts_of, within
from eval.resampling.bootstrap import DEFAULT_REPLICATES, bootstrap
from eval.results.kind_results import TransferredPoint
from eval.trials import ScoreTable, TrialKind, Trials


def transferred_points(
    development: Pair,
    test: Pair,
    targets: Sequence[float],
    *,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> tuple[TransferredPoint, ...]:
    """The rates on `test` of thresholds set on `development`, which must be of other people and of the same model.

    Parameters
    ----------
    development, test : genuine trials, and impostor trials of one kind. Of the development trials the impostors alone
        set thresholds.
    targets : FARs, each in (0, 1).
    replicates, seed : of the bootstrap.

    Raises
    ------
    TrialsError where either side is without the trials it needs.
    """
    return _points([(development[1], test)], targets, replicates, seed)


def transfer(
    table: ScoreTable,
    kind: TrialKind,
    targets: Sequence[float],
    *,
    labels: Sequence[str] | None = None,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> tuple[TransferredPoint, ...]:
    """The rates of transferred thresholds against impostors of one `kind`, by the parts that people are in.

    Parameters
    ----------
    labels : everybody's part (`eval.plans.splits`); None for those of the table.
    targets : FARs, each in (0, 1).
    replicates, seed : of the bootstrap.

    Raises
    ------
    TrialsError where people are not split, where trials do not tell who is claimed or who made zero-effort probes (so
    that people could not be kept apart), or where a part lacks the trials it needs.
    """
    labels = table.splits if labels is None else labels
    if labels is None:
        raise TrialsError("people are not split into development and test", field="split")
    genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
    if genuine.is_anonymous or impostor.is_anonymous:
        raise TrialsError("the scores do not tell who is claimed, so people cannot be kept apart", field="split")
    if kind is TrialKind.RANDOM and impostor.source is None:
        raise TrialsError("the scores do not tell who made each probe, so people cannot be kept apart", field="split")
    folds = [
        (within(impostor, part.development), (within(genuine, part.test), within(impostor, part.test)))
        for part in parts_of(labels)
    ]
    return _points(folds, targets, replicates, seed)


def _points(
    folds: Sequence[tuple[Trials, Pair]], targets: Sequence[float], replicates: int, seed: int
) -> tuple[TransferredPoint, ...]:
    """`folds`: the development impostors of each, and its test trials."""
    for what, trials in (
        ("development impostor", [development for development, _ in folds]),
        ("genuine test", [_joined([genuine for _, (genuine, _) in folds])]),
        ("impostor test", [_joined([impostor for _, (_, impostor) in folds])]),
    ):
        if not all(len(found) for found in trials):
            raise TrialsError(f"a split leaves no {what} trials", field="split", fix="split otherwise, or add people")
    fewest = min((development for development, _ in folds), key=lambda trials: trials.comparisons)
    points = []
    for target in targets:
        thresholds = [threshold_at_far(development.scores, target) for development, _ in folds]
        shifted = [
            tuple(_shifted(trials, threshold) for trials in test)
            for threshold, (_, test) in zip(thresholds, folds, strict=True)
        ]
        genuine, impostor = (_joined(side) for side in zip(*shifted, strict=True))
        intervals = bootstrap(genuine, impostor, replicates=replicates, seed=seed)
        points.append(
            TransferredPoint(
                target_far=target,
                thresholds=tuple(thresholds),
                achieved_far=counted_far(impostor, 0.0, intervals.far),
                frr=counted_frr(genuine, 0.0, intervals.frr),
                development_impostor=fewest.comparisons,
                beyond_evidence=not supports(fewest, target),
            )
        )
    return tuple(points)


def _shifted(trials: Trials, threshold: float) -> Trials:
    return replace(trials, scores=trials.scores - threshold)


def _joined(pieces: Sequence[Trials]) -> Trials:
    """Trials of several folds as one; they must index the same people and samples."""
    sources = [piece.source for piece in pieces if piece.source is not None]
    return Trials(
        scores=np.concatenate([piece.scores for piece in pieces]),
        claim=np.concatenate([piece.claim for piece in pieces]),
        draw=np.concatenate([piece.draw for piece in pieces]),
        probe=np.concatenate([piece.probe for piece in pieces]),
        source=np.concatenate(sources) if len(sources) == len(pieces) else None,
    )
