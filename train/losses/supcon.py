"""Supervised contrastive loss, "out" form (Khosla et al. 2020, eq. 2), on unit-norm embeddings.

L = − mean over anchors i, mean over positives p of  [ s_ip/τ − log Σ_{a≠i} exp(s_ia/τ) ],   s = cosine similarity
"""

import torch
from torch import Tensor, nn


class SupCon(nn.Module):
    """unit-norm embeddings (N, D), labels (N,) → scalar; anchors without a positive are left out."""

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        logits = embeddings @ embeddings.T / self.temperature
        self_pair = torch.eye(len(labels), dtype=torch.bool)
        positives = (labels[:, None] == labels[None, :]) & ~self_pair
        log_others = torch.logsumexp(logits.masked_fill(self_pair, -torch.inf), dim=1, keepdim=True)
        log_likelihood = torch.where(positives, logits - log_others, torch.zeros(())).sum(1)
        counts = positives.sum(1)
        anchored = counts > 0
        per_anchor = -log_likelihood / counts.clamp_min(1)
        return per_anchor.sum() / anchored.sum().clamp_min(1)
