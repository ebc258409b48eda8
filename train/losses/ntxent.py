"""NT-Xent, the loss of SimCLR (Chen, Kornblith, Norouzi & Hinton 2020, eq. 1), over both views of everything.

    L_ip = − log  exp(s_ip/τ) / Σ_{k≠i} exp(s_ik/τ)

averaged over all ordered pairs (i, p) of equal labels: of two views that share a label, over (i, p) and (p, i). With
more than two samples a label every pair counts once; where all labels have equally many this is SupCon's "out" form,
elsewhere labels with many samples weigh more here."""

from torch import Tensor

from train.losses.contrast import SimilarityContrast, log_sum_exp


class NTXent(SimilarityContrast):
    """unit-norm embeddings (N, D), labels (N,) → scalar; terms are pairs."""

    def terms(self, logits: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        return log_sum_exp(logits, positives | negatives) - logits, positives
