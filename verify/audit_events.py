"""What a call tells the audit log: who asked, what was decided, or why nothing could be.

The log tells the truth where the answer to a caller conceals it: that there was nobody to compare with. It holds no
score (see :mod:`enroll.audit.event`).
"""

from dataclasses import replace

from encode.errors import CountersignError, LockedOut, NotFound, SampleError, StateError
from enroll.audit.event import Action, AuditEvent, Origin, Outcome
from verify.access.caller import current_caller
from verify.call_id import current_call_id
from verify.decision import Decision, Status
from verify.identifier import Identification

REFUSALS = (NotFound, StateError, SampleError, LockedOut)
"""Errors that answer a claim without deciding it. All others are about the call, not about a person."""


def current_origin() -> Origin:
    """Who makes the call under way."""
    caller = current_caller()
    return Origin(caller.name, caller.token_id, current_call_id())


def decided(collection: str, person: str, decision: Decision) -> AuditEvent:
    """The entry for a decision on a claim, made for the current caller."""
    really = decision if decision.truth is None else decision.truth
    return AuditEvent(
        Action.VERIFY,
        Outcome.ACCEPTED if decision.accepted else Outcome.REJECTED,
        origin=current_origin(),
        collection=collection,
        person=person,
        models={part.modality.value: part.model_digest for part in really.modalities if part.status is Status.USED},
        left_out={
            part.modality.value: part.status.value for part in really.modalities if part.status is not Status.USED
        },
        policy_id=really.policy_id,
        target_far=really.target_far,
    )


def identified(collection: str, found: Identification) -> list[AuditEvent]:
    """The entries for a search, made for the current caller: one for each person named, or one for nobody."""
    entry = AuditEvent(
        Action.IDENTIFY,
        Outcome.ACCEPTED if found.matches else Outcome.REJECTED,
        origin=current_origin(),
        collection=collection,
        models={modality.value: digest for modality, digest in found.models.items()},
        left_out={modality.value: Status.UNUSABLE.value for modality in found.left_out},
        policy_id=found.policy_id,
        target_far=found.target_far,
        subject=str(len(found.matches)),
    )
    return [replace(entry, person=one.person) for one in found.matches] or [entry]


def refused(
    collection: str, person: str | None, error: CountersignError, *, action: Action = Action.VERIFY
) -> AuditEvent:
    """The entry for a claim, or a search, that could not be decided, made for the current caller."""
    return AuditEvent(
        action,
        Outcome.REFUSED,
        origin=current_origin(),
        collection=collection,
        person=person,
        reason=error.reason,
    )
