"""Which accepted probes may become references: adaptation that cannot be walked away from the person, step by step.

Faces age and hands change, so that a template which never follows rejects its person more and more (Rattani, Freni,
Marcialis & Roli 2009, *Template Update Methods in Adaptive Biometric Systems: A Critical Review*). A template that
takes in whatever was accepted can be poisoned: probes chosen between victim and attacker, each just accepted, move it
until the attacker passes as they are (Biggio, Fumera, Roli & Didaci 2012, *Poisoning Adaptive Biometric Systems*;
Biggio, Fumera, Russu, Didaci & Roli 2015, *Adversarial Biometric Recognition*; Lovisotto, Eberz & Martinovic 2020,
*Biometric Backdoors: A Poisoning Attack Against Unsupervised Template Updating*). So a probe x becomes a reference
only if

    LLR(x; all references)       >= t        t: the threshold of a target FAR smaller than the one it was accepted at
    LLR(x; enrolled references)  >= t        what was learned earlier cannot vouch for x
    √( Δᵀ W⁻¹ Δ / d )            <= max_drift,   Δ = mean(all references with x) − mean(anchors)

both when it comes and when its quarantine is over. There is one candidate at a time, and a new one no sooner than a
quarantine's length after the last, so that a template learns one reference in that time at most. A claim that is
rejected meanwhile takes the candidate away: somebody who tries whether the template has moved far enough already pays
for a failed try with it, whereas a person who is rejected by mistake loses one of many chances to be learned from.

These tests look at references, and a single one far out in one direction can stretch a person's covariance, or be the
nearest neighbour of whoever made it: measured, they alone stop few attackers who know the model. So what was learned
is bounded where it is used, too (:meth:`enroll.identity.IdentityModel.llr`):

    LLR(x) = min( LLR(x; all references), LLR(x; enrolled references) + gain )

Whatever the adapted references are, nobody is accepted whom the enrolled ones alone put more than `gain` below the
threshold. Nothing here changes anchors or enrolled references.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from enroll.adapted import Adapted
from enroll.identity import IdentityModel
from enroll.template import Template

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """`threshold` is a natural-log likelihood ratio, `max_drift` in within-person standard deviations, > 0."""

    threshold: float
    quarantine: timedelta
    max_drift: float


class Refusal(StrEnum):
    """Why a probe does not become a reference."""

    COMPACT = "compact template"
    NO_ROOM = "the model keeps no later references"
    FEW_ANCHORS = "not all anchors are enrolled"
    TOO_SOON = "another candidate came within the length of a quarantine"
    KNOWN = "already a reference"
    UNLIKE = "below the update threshold"
    UNLIKE_ENROLLED = "below the update threshold of the enrolled references alone"
    DRIFT = "too far from the anchors"


class Move(StrEnum):
    """What a step does to a template."""

    QUARANTINED = "quarantined"
    PROMOTED = "promoted"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class Step:
    """A change to store; `why` a candidate is discarded that failed after its quarantine."""

    move: Move
    template: Template
    why: Refusal | None = None


def admit(template: Template, row: Row, identity: IdentityModel, rule: UpdateRule, now: datetime) -> Step | Refusal:
    """Put an accepted probe (D,) into quarantine, if it may ever become a reference of the template."""
    if (refusal := incapable(template, identity)) is not None:
        return refusal
    held = template.adapted or Adapted.none(template.size)
    if template.quarantined or (held.candidate_at is not None and now < held.candidate_at + rule.quarantine):
        return Refusal.TOO_SOON
    if (refusal := judge(template, row, identity, rule)) is not None:
        return refusal
    return Step(Move.QUARANTINED, template.with_adapted(held.with_candidate(row, now), now=now))


def settle(
    template: Template, identity: IdentityModel, rule: UpdateRule, now: datetime, *, early: bool = False
) -> Step | None:
    """Promote or discard the candidate, judged anew; None if there is none, or its quarantine is not over.

    With `early` it is judged now: somebody with authority stands in for the time, not for the tests.
    """
    held = template.adapted
    if held is None or held.candidate is None or held.candidate_at is None:
        return None
    if not early and now < held.candidate_at + rule.quarantine:
        return None
    why = incapable(template, identity) or judge(template, held.candidate, identity, rule)
    if why is not None:
        return Step(Move.DISCARDED, template.with_adapted(held.without_candidate(), now=now), why)
    return Step(Move.PROMOTED, template.with_adapted(held.promoted(identity.recent), now=now))


def dismiss(template: Template, now: datetime) -> Step | None:
    """Take the candidate out of quarantine; None if there is none."""
    if template.adapted is None or template.adapted.candidate is None:
        return None
    return Step(Move.DISCARDED, template.with_adapted(template.adapted.without_candidate(), now=now))


def incapable(template: Template, identity: IdentityModel) -> Refusal | None:
    """Why the template never adapts as it is: it keeps no references, or not enough of them hold it in place."""
    if template.moments is not None:
        return Refusal.COMPACT
    if not identity.recent:
        return Refusal.NO_ROOM
    if not len(template.anchors) or len(template.anchors) < identity.anchors:
        return Refusal.FEW_ANCHORS
    return None


def judge(template: Template, row: Row, identity: IdentityModel, rule: UpdateRule) -> Refusal | None:
    """Why a row (D,) may not be an adapted reference of a capable template, or None."""
    if (template.references == row).all(axis=1).any():
        return Refusal.KNOWN
    if identity.llr(identity.fit(template.references), row)[0] < rule.threshold:
        return Refusal.UNLIKE
    if identity.llr(identity.fit(template.enrolled), row)[0] < rule.threshold:
        return Refusal.UNLIKE_ENROLLED
    learned = np.zeros((0, template.size), np.float32) if template.adapted is None else template.adapted.references
    kept = np.concatenate([learned, row[np.newaxis]])[-identity.recent :]
    if drift(template.anchors, np.concatenate([template.enrolled, kept]), identity) > rule.max_drift:
        return Refusal.DRIFT
    return None


def drift(anchors: NDArray[np.float32], references: NDArray[np.float32], identity: IdentityModel) -> float:
    """How far the mean embedding of `references` (n, D) lies from that of `anchors` (A, D).

    √( Δᵀ W⁻¹ Δ / d ), in standard deviations within people: W the bundle's within-class covariance. Of n independent
    samples of one person, A of them the anchors, it is about √(1/A − 1/n): 0.32 for 5 of 10. A trace behind the
    embedding has no mean and does not count.
    """
    vectors = identity.vector
    middle = anchors[:, :vectors].astype(np.float64).mean(0)
    return float(identity.spread(references[:, :vectors].astype(np.float64).mean(0), middle)[0])
