"""What a verification answers: the decision and everything it rests on.

score = Σ over modalities used ( mean over the modality's usable samples of LLR )
accept  iff  score >= threshold  and  ( every modality that was sent is used, or the caller takes part of them )
probability = 1 / (1 + exp(−score))          (even prior odds; ρ_yes / (ρ_yes + ρ_no) of Bromley et al. 1993)
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from encode.sample import Modality
from enroll.acquisition import Problem
from enroll.template import Template


class Status(StrEnum):
    """What became of a modality.

    `NOT_SENT` (the person is enrolled in it, the call carried no sample of it) is for information; the two before it
    are about samples that were sent, and make a decision incomplete.
    """

    USED = "used"
    UNUSABLE = "unusable"
    NOT_ENROLLED = "not enrolled"
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class SampleEvidence:
    """One sample: the problem that kept it from being read, or its natural-log likelihood ratio.

    It has neither where it was read, but the person is not enrolled in its modality.
    """

    modality: Modality
    llr: float | None
    problem: Problem | None

    @property
    def acquired(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class ModalityEvidence:
    """One modality: its share of the score (None unless it was used), and the model behind it."""

    modality: Modality
    llr: float | None
    model_digest: str
    status: Status = Status.USED


@dataclass(frozen=True, slots=True)
class Truth:
    """What a claim was really decided on, where the decision that is told conceals it; for the audit log alone."""

    modalities: tuple[ModalityEvidence, ...]
    policy_id: str
    target_far: float


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What was compared in one modality: the template as it was read, and the usable probes, float32 (n, D).

    For adaptation, in this process's memory alone; it is never told, stored or printed.
    """

    template: Template
    probes: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted or not, at a threshold for `target_far` and for exactly the modalities used.

    `beyond_evidence`: the policy's impostor trials are too few to show that rate (see :mod:`verify.policy`).
    `accept_partial`: the caller takes a decision on part of what was sent.
    `truth`: of a rejection that is told to somebody who may not know who is enrolled (see
    :mod:`verify.access.concealment`); never told to a caller.
    `compared`: one item a modality used, whatever of it is told.
    """

    score: float
    threshold: float
    target_far: float
    beyond_evidence: bool
    policy_id: str
    modalities: tuple[ModalityEvidence, ...]
    samples: tuple[SampleEvidence, ...] = ()
    accept_partial: bool = False
    truth: Truth | None = None
    compared: tuple[Compared, ...] = field(default=(), repr=False, compare=False)

    @property
    def complete(self) -> bool:
        """Whether every modality that was sent is among those used."""
        return all(part.status in (Status.USED, Status.NOT_SENT) for part in self.modalities)

    @property
    def accepted(self) -> bool:
        return self.score >= self.threshold and (self.complete or self.accept_partial) and self.truth is None

    @property
    def probability(self) -> float:
        """Of the claim being true, in [0, 1], given even prior odds."""
        return float(expit(self.score))
