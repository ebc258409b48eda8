"""The decoupled contrastive loss (Yeh et al. 2021, eq. 6): InfoNCE without the positive in its denominator.

    L_ip = − s_ip/τ + log Σ_n exp(s_in/τ),   n over the rows of other people

The factor of InfoNCE's gradient that vanishes when the positive is easy and the negatives are few is gone, so small
batches learn as large ones do. The loss has no lower bound of 0.
"""

from torch import Tensor

from train.losses.contrast import SimilarityContrast, log_sum_exp


class Decoupled(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are pairs of rows that have a negative."""

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        return log_sum_exp(logits, negatives) - logits, positives & negatives.any(1, keepdim=True)
