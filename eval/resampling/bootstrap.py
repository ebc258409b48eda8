"""Bootstraps: the interval of every rate, by whichever resampling the trials allow.

| what the trials know | what is resampled | module |
|---|---|---|
| who was claimed and who made the impostor probes | people, in both roles | `eval.resampling.bootstrap_person` |
| who was claimed | claimed people; impostors held fixed | `eval.resampling.bootstrap_person` |
| nothing but scores | trials | `eval.resampling.bootstrap_trial` |
| counts by group of claimed people, no scores | groups of people | `eval.resampling.bootstrap_group` |

All are `eval.resampling.replicates.Replicates`; its `method` says which it was. How often their intervals hold the true
rate is measured by benchmarks/interval_coverage.py.
"""

from eval.resampling.bootstrap_group import GroupBootstrap
from eval.resampling.bootstrap_person import PersonBootstrap
from eval.resampling.bootstrap_trial import TrialBootstrap
from eval.resampling.intervals import CONFIDENCE
from eval.resampling.replicates import DEFAULT_REPLICATES, Replicates, shared_rows
from eval.trials import Trials

__all__ = [
    "DEFAULT_REPLICATES",
    "GroupBootstrap",
    "PersonBootstrap",
    "Replicates",
    "TrialBootstrap",
    "bootstrap",
    "shared_rows",
]


def bootstrap(
    genuine: Trials,
    impostor: Trials,
    *,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Replicates:
    """Replicates of every rate of `genuine` against `impostor`, impostors of one kind.

    By trial where either side is anonymous, else by person, in both roles where `impostor.source` knows them.

    Raises TrialsError for fewer than two claimed people, or two trials of a kind where they are anonymous.
    """
    if genuine.is_anonymous or impostor.is_anonymous:
        return TrialBootstrap(genuine, impostor, replicates=replicates, seed=seed, confidence=confidence)
    return PersonBootstrap(genuine, impostor, replicates=replicates, seed=seed, confidence=confidence)
