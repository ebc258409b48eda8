"""The errors most worth looking at: which samples were turned away, and which impostors came closest."""

from dataclasses import dataclass

import numpy as np

from eval.trials import ScoreTable, TrialKind


@dataclass(frozen=True)
class WorstError:
    """One claimed person and one probe, over all draws of references in which they met.

    Attributes
    ----------
    claim, probe : identifiers.
    score : mean score over the draws, a natural-log likelihood ratio.
    wrong, draws : in how many of the draws the decision was wrong.
    """

    claim: str
    probe: str
    score: float
    wrong: int
    draws: int


def worst_errors(table: ScoreTable, kind: TrialKind, threshold: float, *, most: int = 10) -> list[WorstError]:
    """The pairs of `kind` decided wrongly at `threshold`, worst first, at most `most`.

    Genuine pairs are wrong where rejected, impostor pairs where accepted. Probes that could not be acquired are left
    out: they are counted as failures, and no score tells how bad they are.
    """
    trials, genuine = table.of(kind), kind is TrialKind.GENUINE
    acquired = np.isfinite(trials.scores)
    scores, claim, probe = trials.scores[acquired], trials.claim[acquired], trials.probe[acquired]
    wrong = scores < threshold if genuine else scores >= threshold
    pairs, inverse = np.unique(claim.astype(np.int64) << 32 | probe, return_inverse=True)
    draws = np.bincount(inverse, minlength=len(pairs))
    errors = np.bincount(inverse, weights=wrong, minlength=len(pairs)).astype(np.int64)
    mean = np.bincount(inverse, weights=scores, minlength=len(pairs)) / draws
    order = np.lexsort((pairs, mean if genuine else -mean))
    order = order[errors[order] > 0][:most]
    return [
        WorstError(
            claim=table.people[int(pairs[at] >> 32)],
            probe=table.samples[int(pairs[at] & 0xFFFFFFFF)],
            score=float(mean[at]),
            wrong=int(errors[at]),
            draws=int(draws[at]),
        )
        for at in order
    ]
