"""How well an encoder separates people it was not trained on: the figure that early stopping watches.

All pairs of the background people's samples are scored by Euclidean distance, one sample against one, with no Gaussian
in between: this watches the embedding alone and needs nothing fitted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encode.errors import TrainingError
from eval.measures.metrics import equal_error, frr_at, threshold_at_far
from train.sample_set import SampleSet

BATCH = 256
"""Samples embedded at once; bounds memory, cannot change a result."""


@dataclass(frozen=True)
class PairRates:
    """EER and FRR at FAR 1 % over all pairs; fractions, thresholds a posteriori."""

    eer: float
    frr_at_1: float


def embed_batches(network: nn.Module, batches: Iterable[Tensor], *, bf16: bool = False) -> NDArray[np.float32]:
    """Batches of network inputs → all embeddings float32 (N, D), in evaluation mode."""
    network.eval()
    pieces = []
    with torch.no_grad():
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                pieces.append(network(batch).float())
    embeddings: NDArray[np.float32] = torch.cat(pieces).numpy()
    return embeddings


def embed_samples(network: nn.Module, samples: SampleSet, *, bf16: bool = False) -> NDArray[np.float32]:
    """Embeddings float32 (N, D) of samples as serving would show them to the network."""
    rows = torch.split(torch.arange(len(samples.labels)), BATCH)
    return embed_batches(network, (samples.plain(part) for part in rows), bf16=bf16)


def pair_rates(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], forged: NDArray[np.bool_] | None = None
) -> PairRates:
    """Rates over all pairs of the samples given, `forged` of which are skilled forgeries of the person in `labels`.

    Where there are forgeries, the impostor pairs are those of a genuine sample and a forgery of it; otherwise those of
    two people. Raises TrainingError without genuine or without impostor pairs.
    """
    x = embeddings.astype(np.float64)
    squares = (x * x).sum(1)
    scores = -(squares[:, None] + squares[None, :] - 2.0 * x @ x.T)
    upper = np.triu_indices(len(x), k=1)
    same = (labels[:, None] == labels[None, :])[upper]
    own = np.ones(len(x), np.bool_) if forged is None else ~forged
    both, one = (own[:, None] & own[None, :])[upper], (own[:, None] ^ own[None, :])[upper]
    genuine = scores[upper][same & both]
    impostor = scores[upper][same & one if not own.all() else ~same]
    if not len(genuine) or not len(impostor):
        raise TrainingError("the background people give no genuine or no impostor pair", field="corpus")
    return PairRates(
        eer=equal_error(genuine, impostor).rate, frr_at_1=frr_at(genuine, threshold_at_far(impostor, 0.01))
    )


def development_rates(network: nn.Module, people: SampleSet, *, bf16: bool) -> PairRates:
    """Rates of `network` over all pairs of `people`."""
    embeddings = embed_samples(network, people, bf16=bf16)
    return pair_rates(embeddings, people.labels.numpy(), people.forged.numpy())
