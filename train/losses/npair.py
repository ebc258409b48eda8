"""The multi-class N-pair loss (Sohn 2016, eq. 6): one pair from each of N people, each anchor told its own positive.

    L = mean over anchors i of  log( 1 + Σ_{j≠i} exp( (f_i·f_j⁺ − f_i·f_i⁺)/τ ) )   +  l2 · mean ‖f‖²

A batch with more than two samples a person is several such tuples: samples 1 and 2 of everyone, samples 3 and 4, and so
on. A sample without a partner (a skilled forgery, a last odd sample) is a negative to every anchor. The paper has
τ = 1 and free norms; on the unit sphere a dot product is at most 1, and learns little without a smaller τ.
"""

import torch
from torch import Tensor, nn

from train.losses.contrast import LEAST
from train.losses.reducer import REDUCERS, Reducer, tally


class NPair(nn.Module):
    """embeddings (N, D), labels (N,) → scalar; terms are anchors.

    Parameters
    ----------
    temperature : τ > 0.
    l2 : weight of the squared norms; constant, and of no use, on unit-norm embeddings.
    reducer : over anchors.
    """

    def __init__(self, temperature: float = 1.0, l2: float = 0.0, reducer: Reducer = REDUCERS["mean"]) -> None:
        super().__init__()
        self.temperature, self.l2 = temperature, l2
        self.reducer = reducer

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        turns, alone = _tuples(labels)
        values = torch.cat([self._of_tuple(embeddings, labels, *turn, alone) for turn in turns])
        loss = self.reducer([tally(values)])
        return loss + self.l2 * embeddings.square().sum(1).mean() if self.l2 else loss

    def _of_tuple(
        self, embeddings: Tensor, labels: Tensor, anchors: Tensor, positives: Tensor, alone: Tensor
    ) -> Tensor:
        """Terms of one tuple: rows of its anchors and of their positives, each int64 (P,)."""
        columns = torch.cat([positives, alone])
        logits = embeddings[anchors] @ embeddings[columns].T / self.temperature
        agreement = logits.diagonal()
        if len(alone):  # an odd sample of the anchor's own person is no negative of it
            kept = labels[anchors][:, None] != labels[columns][None, :]
            logits = torch.where(kept.fill_diagonal_(True), logits, logits.new_tensor(LEAST))
        return torch.logsumexp(logits, 1) - agreement


def _tuples(labels: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """labels (N,) → rows of the anchors and positives of each tuple, at least one, and the rows without a partner."""
    order = labels.argsort(stable=True)
    ordered = labels[order]
    person = ordered.diff(prepend=ordered[:1]).ne(0).cumsum(0)
    numbers = person.bincount()
    rank = torch.arange(len(labels)) - (numbers.cumsum(0) - numbers)[person]
    paired = rank < (numbers // 2 * 2)[person]
    turn = torch.where(paired & (rank % 2 == 0), rank // 2, -1)
    tuples = max(1, int(numbers.max()) // 2) if len(numbers) else 1
    firsts = [torch.nonzero(turn == number)[:, 0] for number in range(tuples)]
    return [(order[first], order[first + 1]) for first in firsts], order[~paired]
