"""How well an encoder separates people it was not trained on: the figure that early stopping watches.

All pairs of the background people's samples are scored by Euclidean distance, one sample against one, with no Gaussian
in between: this watches the embedding alone and needs nothing fitted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encode.errors import TrainingError
from encode.preprocessing import Scale
from eval.metrics import equal_error, frr_at, threshold_at_far
from train.pixels import PixelSet


@dataclass(frozen=True)
class PairRates:
    """EER and FRR at FAR 1 % over all pairs; fractions, thresholds a posteriori."""

    eer: float
    frr_at_1: float


def scale_pixels(pixels: Tensor, scale: Scale) -> Tensor:
    """What `Scale` does when serving, on a batch of float32 (N, C, H, W) in [0, 1]."""
    if scale.per_image:
        centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
        deviation = pixels.flatten(1).std(dim=1, correction=0).clamp_min(1.0 / 255.0)
        return centred / deviation[:, None, None, None]
    mean = torch.tensor(scale.mean, dtype=torch.float32)[None, :, None, None]
    std = torch.tensor(scale.std, dtype=torch.float32)[None, :, None, None]
    return (pixels - mean) / std


@torch.no_grad()
def embed_pixels(network: nn.Module, pixels: Tensor, scale: Scale, *, bf16: bool = False) -> NDArray[np.float32]:
    """uint8 (N, C, H, W) → embeddings float32 (N, D), in evaluation mode."""
    network.eval()
    pieces = []
    for start in range(0, len(pixels), 256):
        batch = scale_pixels(pixels[start : start + 256].float() / 255.0, scale)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            pieces.append(network(batch.contiguous(memory_format=torch.channels_last)).float())
    embeddings: NDArray[np.float32] = torch.cat(pieces).numpy()
    return embeddings


def pair_rates(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> PairRates:
    """Rates over all pairs of the samples given. Raises TrainingError without genuine or without impostor pairs."""
    x = embeddings.astype(np.float64)
    squares = (x * x).sum(1)
    scores = -(squares[:, None] + squares[None, :] - 2.0 * x @ x.T)
    upper = np.triu_indices(len(x), k=1)
    same = (labels[:, None] == labels[None, :])[upper]
    genuine, impostor = scores[upper][same], scores[upper][~same]
    if not len(genuine) or not len(impostor):
        raise TrainingError("the background people give no genuine or no impostor pair", field="corpus")
    return PairRates(
        eer=equal_error(genuine, impostor).rate, frr_at_1=frr_at(genuine, threshold_at_far(impostor, 0.01))
    )


def development_rates(network: nn.Module, people: PixelSet, scale: Scale, *, bf16: bool) -> PairRates:
    """Rates of `network` over all pairs of `people`."""
    return pair_rates(embed_pixels(network, people.centre(), scale, bf16=bf16), people.labels.numpy())
