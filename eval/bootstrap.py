"""Bootstraps: the interval of every rate, by whichever resampling the trials allow.

| what the trials know | what is resampled | module |
|---|---|---|
| who was claimed and who made the impostor probes | people, in both roles | `eval.bootstrap_person` |
| who was claimed | claimed people; impostors held fixed | `eval.bootstrap_person` |
| nothing but scores | trials | `eval.bootstrap_trial` |
| counts by group of claimed people, no scores | groups of people | `eval.bootstrap_group` |

All are `eval.replicates.Replicates`; its `method` says which it was. How often their intervals hold the true rate is
measured by benchmarks/interval_coverage.py.
"""

from eval.bootstrap_group import GroupBootstrap
from eval.bootstrap_person import BY_PERSON, PersonBootstrap
from eval.bootstrap_trial import TrialBootstrap
from eval.intervals import CONFIDENCE
from eval.replicates import DEFAULT_REPLICATES, Replicates, shared_rows
from eval.trials import Trials

METHOD = BY_PERSON

__all__ = [
    "DEFAULT_REPLICATES",
    "METHOD",
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
