"""What a verification answers: the decision and everything it rests on.

score = Σ over modalities used ( mean over the modality's usable samples of LLR )
accept  iff  score >= threshold  and  ( every modality that was sent is used, or the caller takes part of them )
probability = 1 / (1 + exp(−score))          (even prior odds; ρ_yes / (ρ_yes + ρ_no) of Bromley et al. 1993)
"""

from dataclasses import dataclass
from enum import StrEnum

from scipy.special import expit

from encode.sample import Modality
from enroll.acquisition import Problem


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
class Decision:
    """Accepted or not, at a threshold for `target_far` and for exactly the modalities used.

    `beyond_evidence`: the policy's impostor trials are too few to show that rate (see :mod:`verify.policy`).
    `accept_partial`: the caller takes a decision on part of what was sent.
    `concealed`: the modalities in which there was nobody to compare with, though the decision tells a score (see
    :mod:`verify.access.decoy`); never told to a caller.
    """

    score: float
    threshold: float
    target_far: float
    beyond_evidence: bool
    policy_id: str
    modalities: tuple[ModalityEvidence, ...]
    samples: tuple[SampleEvidence, ...] = ()
    accept_partial: bool = False
    concealed: frozenset[Modality] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether every modality that was sent is among those used."""
        return all(part.status in (Status.USED, Status.NOT_SENT) for part in self.modalities)

    @property
    def accepted(self) -> bool:
        return self.score >= self.threshold and (self.complete or self.accept_partial) and not self.concealed

    @property
    def probability(self) -> float:
        """Of the claim being true, in [0, 1], given even prior odds."""
        return float(expit(self.score))
