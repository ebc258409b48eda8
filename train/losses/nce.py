"""Binary noise-contrastive estimation (Gutmann & Hyvärinen 2010, eq. 2–4), a pair being data or noise.

    G_ij = s_ij/τ + c − log ν_i
    L_i  = mean over positives p of softplus(−G_ip)  +  Σ over negatives n of softplus(G_in)

A row is told its own samples from ν_i noise samples, the rows of other people, by logistic regression: G is the
log-ratio of model and noise (the noise is uniform, and its constant is part of c), and softplus(−G) = −log σ(G). The
normalising constant c is a parameter that is learned with the network, which is the point of the method: no sum over
the batch, so that every pair has a loss of its own. The mean is over the rows i that have a positive."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.losses.contrast import SimilarityContrast
from train.losses.reducer import REDUCERS, Reducer


class BinaryNCE(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are rows that have a positive."""

    def __init__(self, temperature: float = 0.1, reducer: Reducer = REDUCERS["mean"]) -> None:
        super().__init__(temperature, reducer)
        self.constant = nn.Parameter(torch.zeros(()))

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        noise, counts = negatives.sum(1, keepdim=True), positives.sum(1)
        ratio = logits + self.constant - noise.clamp_min(1).log()
        # −log σ(G) for data and −log(1 − σ(G)) for noise are one softplus with the sign turned.
        costs = functional.softplus(torch.where(positives, -ratio, ratio))
        nothing = costs.new_zeros(())
        data = torch.where(positives, costs, nothing).sum(1) / counts.clamp_min(1)
        return data + torch.where(negatives, costs, nothing).sum(1), counts > 0
