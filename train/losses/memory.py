"""A queue of embeddings of earlier batches as further columns of a contrastive loss, for batches too small to hold
enough.

past     cross-batch memory (Wang et al. 2020, "XBM"): the embeddings as they were when their batch was trained on
average  momentum contrast (He et al. 2020, "MoCo", section 3.2): the keys of a slowly moving average of the network

With keys, the rows of a batch are compared with keys of other views of the same samples, and with the queued keys; none
of them has a gradient. Without, they are compared with each other as ever, and with the queued embeddings.

The queue is a buffer, and so part of the checkpoint: a resumed run goes on with the very same columns.
"""

import torch
from torch import Tensor, nn

from train.losses.contrast import Contrast, batch_masks

EMPTY, NOBODY = -1, -2
"""Labels of a place not filled yet, which is compared with nobody, and of a skilled forgery, a negative to everyone."""


class MemoryQueue(nn.Module):
    """embeddings (N, D), labels (N,), and keys (N, D) if `of_keys` → scalar.

    Parameters
    ----------
    loss : any contrast.
    length, size : embeddings held (the oldest leave first), and values of one.
    people : labels from here on are forgeries', which mean nothing in another batch.
    of_keys : whether it is given keys, and holds those.
    after : share of the run, 0 … 1, from which on the queue takes part; while a network moves fast, what is queued
        means little.
    """

    def __init__(
        self, loss: Contrast, *, length: int, size: int, people: int, of_keys: bool = False, after: float = 0.0
    ) -> None:
        super().__init__()
        self.loss = loss
        self.people = people
        self.of_keys = of_keys
        self.after = after
        self.active = after <= 0.0
        self.embeddings: Tensor
        self.labels: Tensor
        self.oldest: Tensor
        self.register_buffer("embeddings", torch.zeros(length, size))
        self.register_buffer("labels", torch.full((length,), EMPTY))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))

    def progress(self, done: float) -> None:
        """Tell the share of the run that is done, 0 … 1."""
        self.active = done >= self.after

    def forward(self, embeddings: Tensor, labels: Tensor, keys: Tensor | None = None) -> Tensor:
        columns = [embeddings if keys is None else keys.detach()]
        masks = [batch_masks(labels) if keys is None else self._key_masks(labels)]
        if self.active:
            columns.append(self.embeddings.clone())  # what is enqueued below must not reach into this gradient
            masks.append(self._queue_masks(labels))
        all_positives, all_negatives = (torch.cat(parts, 1) for parts in zip(*masks, strict=True))
        loss: Tensor = self.loss.compare(embeddings, torch.cat(columns), all_positives, all_negatives)
        self._enqueue(columns[0].detach(), labels)
        return loss

    def _key_masks(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A row's own key is a positive as well, being of another view; a forgery has no positive."""
        same = labels[:, None] == labels[None, :]
        return same & (labels < self.people)[:, None], ~same

    def _queue_masks(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        same = labels[:, None] == self.labels[None, :]
        return same, ~same & (self.labels != EMPTY)[None, :]

    @torch.no_grad()
    def _enqueue(self, embeddings: Tensor, labels: Tensor) -> None:
        length = len(self.labels)
        embeddings, labels = embeddings[-length:], labels[-length:]
        places = (self.oldest + torch.arange(len(labels))) % length
        self.embeddings[places] = embeddings.to(self.embeddings.dtype)
        self.labels[places] = labels.where(labels < self.people, NOBODY)
        self.oldest.copy_((self.oldest + len(labels)) % length)
