"""Accuracy over the folds of a trial list, as Labeled Faces in the Wild reports it (Huang et al. 2007, section V).

For fold k of K, the threshold is the one that decides most trials of all other folds rightly, and a_k is the share of
fold k's own trials that it decides rightly, genuine and impostor alike. Reported are

    mean = Σ a_k / K        standard error = sqrt( Σ (a_k - mean)² / (K - 1) ) / sqrt(K)

and the interval mean ± t · standard error, Student's t with K - 1 degrees of freedom. Folds are taken as independent,
which the shared training parts make only nearly so.

An accuracy depends on how many trials are genuine: half of them in LFW's lists. It says nothing of rare false accepts,
and there is no choosing a threshold by it; it is here to compare with literature that reports it.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student_t

from encode.errors import TrialsError
from eval.measures.metrics import error_curve
from eval.plans.parts import Pair, parts_of, within
from eval.resampling.intervals import CONFIDENCE
from eval.results.kind_results import FoldAccuracy
from eval.trials import Trials
from verify.policy import Rate


def fold_accuracy(
    genuine: Trials, impostor: Trials, labels: Sequence[str], *, confidence: float = CONFIDENCE
) -> FoldAccuracy:
    """Mean accuracy over the folds that `labels`, everybody's, name.

    Parameters
    ----------
    genuine, impostor : trials that tell who is claimed, and impostors of one kind.
    labels : the fold of each person (`eval.plans.splits`), empty for people of none; two folds or more.

    Raises
    ------
    TrialsError where people are not in folds, or where a fold, or all others together, lack genuine or impostor trials.
    """
    parts = parts_of(labels)
    if len(parts) < 2:
        raise TrialsError("an accuracy over folds needs folds, not one split", field="split")
    thresholds, shares = [], []
    for part in parts:
        development = within(genuine, part.development), within(impostor, part.development)
        test = within(genuine, part.test), within(impostor, part.test)
        if not all(len(trials) for trials in (*development, *test)):
            raise TrialsError("a fold has no genuine or no impostor trials", field="split")
        thresholds.append(most_accurate(development))
        shares.append(accuracy(test, thresholds[-1]))
    mean = float(np.mean(shares))
    error = float(np.std(shares, ddof=1) / np.sqrt(len(shares)))
    reach = float(student_t.ppf((1 + confidence) / 2, len(shares) - 1)) * error
    return FoldAccuracy(
        accuracy=Rate(value=mean, low=max(mean - reach, 0.0), high=min(mean + reach, 1.0)),
        standard_error=error,
        folds=tuple(shares),
        thresholds=tuple(thresholds),
    )


def accuracy(trials: Pair, threshold: float) -> float:
    """Share of `trials`, genuine and impostor, that `score >= threshold` decides rightly."""
    genuine, impostor = trials
    right = np.count_nonzero(genuine.scores >= threshold) + np.count_nonzero(impostor.scores < threshold)
    return float(right / (len(genuine) + len(impostor)))


def most_accurate(trials: Pair) -> float:
    """The lowest threshold of the highest accuracy: half-way between the two scores that it lies between.

    Raises TrialsError as `eval.measures.metrics.error_curve` does.
    """
    genuine, impostor = trials
    curve = error_curve(genuine.scores, impostor.scores)
    # Whole numbers, so that equal accuracies tie.
    errors = np.rint(curve.frr * len(genuine)) + np.rint(curve.far * len(impostor))
    best = int(np.argmin(errors))
    if best == 0:
        return float(curve.thresholds[0])
    middle = float(curve.thresholds[best - 1] / 2 + curve.thresholds[best] / 2)
    # Between neighbouring numbers there is no middle, and the lower one would accept one score more.
    return middle if middle > curve.thresholds[best - 1] else float(curve.thresholds[best])
