"""Deciding a list of claims over one stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from countersign.bulk.failures import Failed
from countersign.bulk.trial_list import Trial
from countersign.bulk.trial_results import Decided
from countersign.progress import Progress
from encode.errors import SampleError, TooFewReferences
from verify.client.batch_items import VerifyItem
from verify.client.client import Client
from verify.v1 import verification_pb2 as pb


@dataclass(slots=True)
class Outcome:
    """What became of a list of claims: decisions in the list's order, and why the others have none."""

    decided: list[Decided] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Claim(VerifyItem):
    number: int = 0


def verify_trials(
    client: Client,
    collection: str,
    trials: Sequence[Trial],
    progress: Progress,
    *,
    target_far: float | None = None,
    accept_partial: bool = False,
) -> Outcome:
    """Decide every claim that can be. Raises ServiceUnavailable, DeadlineExpired, AccessError."""
    outcome = Outcome()
    decided: dict[int, Decided] = {}
    unsent = 0

    def claims() -> Iterator[_Claim]:
        nonlocal unsent
        for number, trial in enumerate(trials):
            try:
                samples = [row.load() for row in trial.rows]
            except OSError as error:
                unsent += 1
                outcome.failed.append(Failed.unreadable(error, trial.person, trial.probe))
            except SampleError as error:
                unsent += 1
                outcome.failed.append(Failed.of(error, trial.person, trial.probe))
                decided[number] = _unusable(trial)
            else:
                yield _Claim(collection, trial.person, samples, target_far, accept_partial, number)

    for answered, result in enumerate(client.verify_batch(claims()), start=1):
        claim = result.item
        if not isinstance(claim, _Claim):
            raise AssertionError("the batch is made of claims")
        trial = trials[claim.number]
        if result.answer is not None:
            decided[claim.number] = _decided(trial, result.answer)
        elif result.error is not None:
            outcome.failed.append(Failed.of(result.error, trial.person, trial.probe))
            if isinstance(result.error, SampleError | TooFewReferences):
                decided[claim.number] = _unusable(trial)
        progress("verify", answered + unsent, len(trials))
    outcome.decided = [decided[number] for number in sorted(decided)]
    return outcome


def _decided(trial: Trial, answer: pb.VerifyResponse) -> Decided:
    used = [part for part in answer.modalities if part.status == pb.MODALITY_STATUS_USED]
    return Decided(
        trial=trial.name,
        person=trial.person,
        probe=trial.probe,
        kind=trial.kind,
        source=trial.source,
        accepted=answer.accepted,
        failed=False,
        score=answer.log_likelihood_ratio,
        probability=answer.probability,
        threshold=answer.threshold,
        target_far=answer.target_far,
        policy_id=answer.policy_id,
        model_digest="+".join(part.model_digest for part in used),
    )


def _unusable(trial: Trial) -> Decided:
    return Decided(
        trial.name, trial.person, trial.probe, trial.kind, trial.source, False, True, None, None, None, None, "", ""
    )
