"""What the audit log tells of one mutation or decision: who, what, of whom, by which rules, with what outcome.

The fields below are all there is. None holds a sample, an embedding, a likelihood ratio, a probability or a threshold:
a log that told how close a claim came would let its reader climb towards acceptance probe by probe, and a caller who
may know has the score from the answer. Target FAR and policy id say by which rule it was decided; the policy file
holds the threshold. A person's id never enters an entry, only a keyed pseudonym (see `enroll.audit.chain`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from enroll.audit.chain import AuditKeys

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class Action(StrEnum):
    """What was done. Whoever adds a mutation adds its action here."""

    OPEN = "open"
    """The first entry of every log; its subject is the log's random id."""
    START = "start"
    """A service began to write; its subject is what it records: `all` or `mutations`."""
    ENROLL = "enroll"
    DELETE_PERSON = "delete_person"
    """Its subject is the erasure receipt's id."""
    MIGRATE = "migrate"
    """A template was made anew by another model; its subject is the digest of the model before."""
    VERIFY = "verify"
    IDENTIFY = "identify"
    """A search: one entry for each person named to the caller, or one that names nobody; its subject is how many."""
    QUARANTINE = "quarantine"
    """An accepted probe may become a reference, and waits."""
    ADAPT = "adapt"
    """A probe has become a reference after its quarantine; its subject is who let it: `time` or `operator`."""
    DISCARD = "discard"
    """A probe was taken out of quarantine; its subject is why: `rejection`, `operator`, or the rule it failed."""
    ROLLBACK = "rollback"
    """A template has its earlier content again; its subject is the version that content is of, or `enrolled`."""
    CONFIGURE = "configure"
    """The settings of a collection were changed; its subject is what they are now, in JSON."""
    TOKEN_CREATE = "token_create"  # noqa: S105 - what was done
    """Its subject is the token's id."""
    TOKEN_REVOKE = "token_revoke"  # noqa: S105 - what was done
    """Its subject is the token's id."""
    KEYS_ROTATE = "keys_rotate"
    """Every data key is about to be wrapped with another key, whose id is the subject."""
    KEYS_PRUNE = "keys_prune"
    """A key that wraps nothing any more is about to leave the key file; its id is the subject."""
    DB_RESTORE = "db_restore"
    """A backup was put in the place of the database; its subject is the SHA-256 of the file."""
    DB_RECONCILE = "db_reconcile"
    """Data that was put back is about to count from now on, and whoever was erased meanwhile to be removed."""
    DB_IMPORT = "db_import"
    """A person was added from an export; its subject is the SHA-256 of the file."""


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REFUSED = "refused"
    """No decision could be taken: `reason` says why, as the caller was told or more exactly."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked: the caller's name and token, and the id of the call, as in the service's log and answer's trailers."""

    caller: str | None = None
    token_id: str | None = None
    call_id: str | None = None


NOBODY = Origin()
"""A call that came from no caller: a program that uses the library in its own process."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One mutation or decision, before it is an entry.

    Attributes
    ----------
    person : whom it concerns, with `collection`; enters the log as a pseudonym.
    models : modality → digest of the model that took part in it.
    left_out : modality → why samples of it, or its template, took no part in a decision.
    versions : modality → version of the template that a mutation wrote, or erased.
    reason : of an outcome `REFUSED`, the error's stable reason.
    subject : what was made or changed, other than the person, mostly an id; see :class:`Action`.
    """

    action: Action
    outcome: Outcome = Outcome.DONE
    origin: Origin = NOBODY
    collection: str | None = None
    person: str | None = field(default=None, repr=False)
    models: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    policy_id: str | None = None
    target_far: float | None = None
    reason: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        if self.person is not None and self.collection is None:
            raise ValueError("a person is one of a collection")

    def entry(self, keys: AuditKeys, at: datetime) -> bytes:
        """The entry, canonical JSON without what is not known; `at` in UTC."""
        told: dict[str, object] = {
            "action": self.action.value,
            "at": at.isoformat(timespec="microseconds"),
            "call_id": self.origin.call_id,
            "caller": self.origin.caller,
            "collection": self.collection,
            "left_out": dict(self.left_out),
            "models": dict(self.models),
            "outcome": self.outcome.value,
            "person": None
            if self.person is None or self.collection is None
            else keys.pseudonym_of(self.collection, self.person),
            "policy_id": self.policy_id,
            "reason": self.reason,
            "subject": self.subject,
            "target_far": self.target_far,
            "token_id": self.origin.token_id,
            "versions": dict(self.versions),
        }
        return canonical({name: value for name, value in told.items() if value is not None and value != {}})


def canonical(told: Mapping[str, object]) -> bytes:
    """JSON with sorted keys, without spaces, in ASCII: the same bytes for the same content."""
    return _ENCODER.encode(told).encode()
