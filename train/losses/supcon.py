"""Supervised contrastive loss (Khosla et al. 2020, eq. 2 and 3), on unit-norm embeddings.

out:  L_i = − mean over positives p of  [ s_ip/τ − log Σ_{a≠i} exp(s_ia/τ) ],   s = cosine similarity
in:   L_i = − log  mean over positives p of  exp(s_ip/τ) / Σ_{a≠i} exp(s_ia/τ)

The loss is the mean over the anchors i that have a positive. "in" is never more than "out" (Jensen) and lets one near
positive stand for all.
"""

from typing import Literal

import torch
from torch import Tensor

from train.losses.contrast import SimilarityContrast, log_sum_exp
from train.losses.reducer import REDUCERS, Reducer


class SupCon(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; anchors without a positive are left out.

    Parameters
    ----------
    temperature, reducer : τ, and the reducer over anchors.
    form : "out", with the mean outside the logarithm, or "in".
    """

    def __init__(
        self, temperature: float = 0.1, reducer: Reducer = REDUCERS["mean"], *, form: Literal["out", "in"] = "out"
    ) -> None:
        super().__init__(temperature, reducer)
        self.form = form

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        counts = positives.sum(1)
        log_others = log_sum_exp(logits, positives | negatives)
        if self.form == "in":
            log_mean = log_sum_exp(logits, positives) - counts.clamp_min(1).log()[:, None]
            return (log_others - log_mean)[:, 0], counts > 0
        log_likelihood = torch.where(positives, logits - log_others, torch.zeros((), dtype=logits.dtype)).sum(1)
        return -log_likelihood / counts.clamp_min(1), counts > 0
