"""One network's rates on one set of people, and the replicates behind their intervals.

Replicates of all networks on the same people, with the same seed, are of the same resamples: those of a recipe's seeds
can be averaged, and those of two recipes subtracted (`eval.resampling.replicates`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.measures.sorted_scores import SortedScores
from eval.resampling.bootstrap import PersonBootstrap
from eval.trials import IMPOSTOR_KINDS, TrialKind, Trials
from train.compare.results import FARS, FrrAtFar, KindMeasure, Measure

FloatArray = NDArray[np.float64]

SEED = 0
"""Of the resampling: one for all, so that resamples are shared."""


@dataclass(frozen=True)
class Measured:
    """A measure, and for each of its kinds the replicates float64 (1 + FARs, B) of the EER and of the FRRs.

    Columns of NaN are resamples that hold no trial of one side.
    """

    measure: Measure
    replicates: Mapping[TrialKind, FloatArray]


def measured(name: str, trials: Mapping[TrialKind, Trials], *, replicates: int) -> Measured | None:
    """Every kind of impostor that `trials` hold; None without genuine trials or impostors, or of one person alone."""
    blocks: dict[TrialKind, KindMeasure] = {}
    found: dict[TrialKind, FloatArray] = {}
    genuine = trials.get(TrialKind.GENUINE)
    for kind in IMPOSTOR_KINDS:
        impostor = trials.get(kind)
        if genuine is None or impostor is None or not len(genuine) or not len(impostor):
            continue
        if np.union1d(genuine.claimed, impostor.claimed).size < 2:
            continue
        blocks[kind], found[kind] = _of_kind(genuine, impostor, replicates)
    measure = Measure(name=name, random=blocks.get(TrialKind.RANDOM), skilled=blocks.get(TrialKind.SKILLED))
    return Measured(measure, found) if blocks else None


def _of_kind(genuine: Trials, impostor: Trials, replicates: int) -> tuple[KindMeasure, FloatArray]:
    bootstrap = PersonBootstrap(genuine, impostor, replicates=replicates, seed=SEED)
    scores = SortedScores(genuine.scores, impostor.scores)
    rows = []
    for far in FARS:
        rejected = scores.frr(scores.threshold_at_far(far))
        rows.append(FrrAtFar(far=far, frr=bootstrap.frr_at_far(rejected, far)))
    drawn = np.full((1 + len(FARS), replicates), np.nan)
    drawn[0, bootstrap.kept] = bootstrap.equal_error_replicates()
    for index, far in enumerate(FARS, start=1):
        drawn[index, bootstrap.kept] = bootstrap.frr_replicates(far)
    found = KindMeasure(
        people=min(len(genuine.claimed), _people(impostor)),
        genuine=len(genuine),
        impostor=len(impostor),
        eer=bootstrap.equal_error(scores.equal_error().rate),
        frr_at_far=tuple(rows),
    )
    return found, drawn


def _people(impostor: Trials) -> int:
    """The fewer of those claimed and of those who made the probes, where anybody knows the latter."""
    claimed = len(impostor.claimed)
    known = None if impostor.source is None else impostor.source[impostor.source >= 0]
    return claimed if known is None or not known.size else min(claimed, int(np.unique(known).size))
