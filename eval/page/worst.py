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
    out: they are counted as failures, and no score tells how bad they are. A table that does not tell who was claimed
    has none to list.
    """
    trials, genuine = table.of(kind), kind is TrialKind.GENUINE
    if len(trials) == 0 or trials.is_anonymous:
        return []
    acquired = np.isfinite(trials.scores)
    pairs = trials.claim.astype(np.int64) << 32 | trials.probe
    wrong = acquired & (trials.scores < threshold if genuine else trials.scores >= threshold)
    # Few trials are wrong: only their pairs are sorted, and then looked for among all trials, their other draws.
    listed, inverse = np.unique(pairs[wrong], return_inverse=True)
    if listed.size == 0:
        return []
    errors = np.bincount(inverse, minlength=len(listed))
    at = np.searchsorted(listed, pairs).clip(max=len(listed) - 1)
    met = acquired & (listed[at] == pairs)
    draws = np.bincount(at[met], minlength=len(listed))
    mean = np.bincount(at[met], weights=trials.scores[met], minlength=len(listed)) / draws
    order = np.lexsort((listed, mean if genuine else -mean))[:most]
    return [
        WorstError(
            claim=table.people[int(listed[one] >> 32)],
            probe=table.samples[int(listed[one] & 0xFFFFFFFF)],
            score=float(mean[one]),
            wrong=int(errors[one]),
            draws=int(draws[one]),
        )
        for one in order
    ]
