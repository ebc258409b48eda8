"""InfoNCE (van den Oord, Li & Vinyals 2018, eq. 4): the one positive among the negatives.

    L_ip = − log  exp(s_ip/τ) / ( exp(s_ip/τ) + Σ_n exp(s_in/τ) ),   n over the rows of other people

The mean is over all pairs (i, p) of a row and a positive. Other positives of i are in no denominator, so that they are
not pushed away from each other; in SupCon and NT-Xent they are. With d_i = log Σ_n exp(s_in/τ) the term is
softplus(d_i − s_ip/τ), which holds at any size of logits and needs no list of (pair, negative).
"""

from torch import Tensor
from torch.nn import functional

from train.losses.contrast import SimilarityContrast, log_sum_exp


class InfoNCE(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are pairs, and 0 without a negative."""

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        return functional.softplus(log_sum_exp(logits, negatives) - logits), positives
