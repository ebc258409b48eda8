"""The debiased contrastive loss (Chuang et al. 2020, eq. 7–8): InfoNCE whose negatives may hide positives.

    L_ip = − log  e_ip / ( e_ip + N·g ),       e_ij = exp(s_ij/t)
    g    = max( [ (1/N) Σ_n e_in − τ⁺·e_ip ] / (1 − τ⁺),  exp(−1/t) )

N negatives n are rows of other labels, of which a share τ⁺ is taken to be of the row's own class all the same (samples
of one person under two names; with labels that are only instances, people who occur twice). One positive estimates
their part, as in the authors' experiments (M = 1); the second argument of the maximum is the least that N cosines can
give."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from train.losses.contrast import LEAST, SimilarityContrast, log_sum_exp
from train.losses.reducer import REDUCERS, Reducer


class Debiased(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are pairs, and 0 without a negative.

    Parameters
    ----------
    temperature, reducer : t, and the reducer over pairs.
    prior : τ⁺, 0 … 1, the share of false negatives; with 0 the loss is InfoNCE.
    """

    def __init__(self, temperature: float = 0.5, reducer: Reducer = REDUCERS["mean"], *, prior: float = 0.1) -> None:
        super().__init__(temperature, reducer)
        self.prior = prior

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        number = negatives.sum(1, keepdim=True).to(logits.dtype)
        # N·g in logarithms, so that no temperature overflows: log(e^x − e^y) = x + log(1 − e^(y − x)) where y < x.
        x = log_sum_exp(logits, negatives)
        y = logits + (self.prior * number).log()
        corrected = x + torch.log(-torch.expm1((y - x).clamp_max(-1e-6))) - math.log1p(-self.prior)
        least = number.log().clamp_min(LEAST) - 1.0 / self.temperature
        log_others = torch.maximum(torch.where(y < x, corrected, logits.new_tensor(LEAST)), least)
        return functional.softplus(log_others - logits), positives
