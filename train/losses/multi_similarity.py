"""The multi-similarity loss (Wang et al. 2019, eq. 15) with its pair mining (eq. 11–12).

    L = mean over rows i of   1/α · log[ 1 + Σ_p exp(−α(s_ip − λ)) ]  +  1/β · log[ 1 + Σ_n exp(β(s_in − λ)) ]

Mined, a negative counts if s_in > min_p s_ip − ε, and a positive if s_ip < max_n s_in + ε; so a row that has no
positive, or no negative, costs nothing.
"""

import torch
from torch import Tensor
from torch.nn import functional

from train.losses.contrast import Contrast, log_sum_exp
from train.losses.reducer import REDUCERS, Reducer, tally


class MultiSimilarity(Contrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are rows.

    Parameters
    ----------
    alpha, beta, base : α, β and λ.
    epsilon : ε of the mining; None to count all pairs.
    reducer : over rows.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        epsilon: float | None = 0.1,
        reducer: Reducer = REDUCERS["mean"],
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.base = alpha, beta, base
        self.epsilon = epsilon
        self.reducer = reducer

    def compare(self, rows: Tensor, columns: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        similarities = rows @ columns.T
        if self.epsilon is not None:
            positives, negatives = mined(similarities.detach(), positives, negatives, self.epsilon)
        excess = similarities - self.base
        pull = functional.softplus(log_sum_exp(-self.alpha * excess, positives)) / self.alpha
        push = functional.softplus(log_sum_exp(self.beta * excess, negatives)) / self.beta
        values = (pull + push)[:, 0]
        return self.reducer([tally(values)])


def mined(similarities: Tensor, positives: Tensor, negatives: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The positives and negatives, bool (N, M), that are harder than the other kind's hardest by no less than −ε."""
    infinity = similarities.new_tensor(torch.inf)
    farthest = torch.where(positives, similarities, infinity).amin(1, keepdim=True)
    nearest = torch.where(negatives, similarities, -infinity).amax(1, keepdim=True)
    return positives & (similarities - epsilon < nearest), negatives & (similarities + epsilon > farthest)
