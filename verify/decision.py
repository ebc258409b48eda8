"""What a verification answers: the decision and everything it rests on.

score = Σ over modalities ( mean over the modality's samples of LLR ),   accept iff score >= threshold
probability = 1 / (1 + exp(−score))          (even prior odds; ρ_yes / (ρ_yes + ρ_no) of Bromley et al. 1993)
"""

from dataclasses import dataclass

from scipy.special import expit

from encode.sample import Modality
from enroll.acquisition import Problem


@dataclass(frozen=True, slots=True)
class SampleEvidence:
    """One sample: its natural-log likelihood ratio, or the problem that kept it from having one."""

    modality: Modality
    llr: float | None
    problem: Problem | None

    @property
    def acquired(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class ModalityEvidence:
    """One modality: the mean natural-log likelihood ratio of its usable samples, and the model behind it."""

    modality: Modality
    llr: float
    model_digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted or not, at a threshold measured for `target_far`.

    `beyond_evidence`: the policy's impostor trials are too few to show that rate (see :mod:`verify.policy`).
    """

    score: float
    threshold: float
    target_far: float
    beyond_evidence: bool
    policy_id: str
    modalities: tuple[ModalityEvidence, ...]
    samples: tuple[SampleEvidence, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.score >= self.threshold

    @property
    def probability(self) -> float:
        """Of the claim being true, in [0, 1], given even prior odds."""
        return float(expit(self.score))
