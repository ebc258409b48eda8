"""The modern signature encoder: residual convolutions over time, frames for warping, and one pooled embedding.

    frames (5, T) → features (14, T)                              train.networks.pen_features
    conv 7, 64 → block → conv 4 stride 2, width                   T/2
    blocks of dilation 1, 2, 4, 8 → 1 × 1 → 24-d learned frames   T/2, normalised each; read by the warping loss
    conv 4 stride 2, 3/2 width → blocks of dilation 1, 2, 4       T/4
    mean, deviation, 4 heads of attention, 6 windows of relative time, duration, strokes → linear → unit norm

A block is x + conv 5(silu(norm(conv 5 dilated(silu(norm(x)))))). Normalisation is per frame over channels and every
convolution is masked behind the end, so that padding changes nothing and a row of a batch does not see the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from encode.manifest import TRACE_CHANNELS
from encode.pen_frames import CHANNELS
from train.networks.pen_features import FEATURES, PenFeatures

_TRACE = tuple(CHANNELS.index(name) for name in TRACE_CHANNELS)
"""Where in the network's input the channels are that frame matching keeps of a signature."""


_STEPS = 16.0
"""Steps a unit that exported learned frames are rounded to."""


@dataclass(frozen=True)
class PenResidualConfig:
    """Sizes; `width` is even."""

    width: int = 96
    stem: int = 64
    embedding: int = 256
    frame: int = 24
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    late_dilations: tuple[int, ...] = (1, 2, 4)
    heads: int = 4
    windows: int = 6
    window_width: int = 24
    dropout: float = 0.1


class ChannelNorm(nn.Module):
    """(B, C, T): each frame to mean 0 and deviation 1 over its channels, then scaled and shifted a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        found: Tensor = (
            centred * torch.rsqrt((centred * centred).mean(1, keepdim=True) + 1e-5) * self.scale + self.shift
        )
        return found


class PenBlock(nn.Module):
    """x + dropout(conv(silu(norm(conv(silu(norm(x))))))), masked; the identity at the start."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(channels), ChannelNorm(channels)
        self.conv1 = nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, 5, padding=2)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(x)) * mask) * mask
        found: Tensor = x + self.dropout(self.conv2(functional.silu(self.norm2(inner)) * mask) * mask)
        return found


class PenResidualEncoder(nn.Module):
    """float32 (B, 5, T), T a multiple of 4, → unit embeddings (B, D)."""

    unit_norm = True

    def __init__(self, config: PenResidualConfig = PenResidualConfig()) -> None:
        super().__init__()
        self.config = config
        late = config.width * 3 // 2
        self.features = PenFeatures()
        self.stem = nn.Conv1d(FEATURES, config.stem, 7, padding=3)
        self.first = PenBlock(config.stem, 1, config.dropout)
        self.halve = nn.Conv1d(config.stem, config.width, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList([PenBlock(config.width, d, config.dropout) for d in config.dilations])
        self.frame_norm = ChannelNorm(config.width)
        self.frame = nn.Conv1d(config.width, config.frame, 1)
        self.halve_again = nn.Conv1d(config.width, late, 4, stride=2, padding=1)
        self.late_blocks = nn.ModuleList([PenBlock(late, d, config.dropout) for d in config.late_dilations])
        self.late_norm = ChannelNorm(late)
        self.attention = nn.Conv1d(late, config.heads, 1)
        self.value = nn.Conv1d(late, late, 1)
        self.window = nn.Conv1d(late, config.window_width, 1)
        pooled = late * (2 + config.heads) + config.windows * config.window_width + 2
        self.head = nn.Sequential(nn.LayerNorm(pooled), nn.Dropout(config.dropout), nn.Linear(pooled, config.embedding))

    def forward(self, frames: Tensor) -> Tensor:
        return self.embed(frames)[0]

    def embed(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and learned frames (B, 24, T/2), zero behind the end."""
        h, mask = self.features(frames)
        count = mask.sum((1, 2)).clamp(min=1.0)
        strokes = (h[:, 12] > 0).to(h.dtype).sum(1)
        whole = torch.stack([torch.log(count / 150.0), strokes / 5.0], 1)
        h = self.first(self.stem(h) * mask, mask)
        mask = mask[:, :, ::2]
        h = self.halve(h) * mask
        for block in self.blocks:
            h = block(h, mask)
        h = functional.silu(self.frame_norm(h)) * mask
        learned = self.frame(h)
        learned = learned - learned.mean(1, keepdim=True)
        learned = learned * torch.rsqrt((learned * learned).mean(1, keepdim=True) + 1e-4) * mask
        mask = mask[:, :, ::2]
        h = self.halve_again(h) * mask
        for block in self.late_blocks:
            h = block(h, mask)
        pooled = self._pooled(functional.silu(self.late_norm(h)) * mask, mask)
        return functional.normalize(self.head(torch.cat([pooled, whole], 1)), dim=1), learned

    def _pooled(self, h: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T') → (B, C·(2 + heads) + windows·window width)."""
        count = mask.sum(2).clamp(min=1.0)
        mean = h.sum(2) / count
        deviation = torch.sqrt((((h - mean[:, :, None]) ** 2) * mask).sum(2) / count + 1e-5)
        weights = torch.softmax(self.attention(h).masked_fill(mask == 0, -1e4), 2)
        attended = torch.einsum("bht,bct->bhc", weights, self.value(h)).flatten(1)
        # Windows are triangles over relative time, each reaching into its neighbours.
        at = (torch.cumsum(mask, 2) - 0.5) / count[:, :, None] * self.config.windows
        centres = torch.arange(self.config.windows, dtype=h.dtype).view(1, -1, 1) + 0.5
        share = torch.clamp(1.0 - (at - centres).abs(), min=0.0) * mask
        share = share / share.sum(2, keepdim=True).clamp(min=1e-3)
        windowed = torch.einsum("bkt,bct->bkc", share, self.window(h)).flatten(1)
        return torch.cat([mean, deviation, attended, windowed], 1)


class PenMembers(nn.Module):
    """Networks trained apart, their unit embeddings side by side and of unit norm again: (B, 5, T) → (B, k·D)."""

    unit_norm = True

    def __init__(self, members: Sequence[PenResidualEncoder]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.size = sum(member.config.embedding for member in members)
        self.channels = sum(member.config.frame for member in members)

    def forward(self, frames: Tensor) -> Tensor:
        return self.embed(frames)[0]

    def embed(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, k·D) and the members' learned frames side by side, (B, k·C, T/2)."""
        found = [cast(PenResidualEncoder, member).embed(frames) for member in self.members]
        embeddings = torch.cat([embedding for embedding, _ in found], 1)
        return embeddings / math.sqrt(len(self.members)), torch.cat([learned for _, learned in found], 1)


class WithTrace(nn.Module):
    """What is exported for frame matching: embedding, then the flattened trace of x, y, pressure and mask, then, with
    `learned`, the flattened learned frames.

    The trace is rounded to half precision, far finer than a tablet's, and the learned frames, whose deviation is 1, to
    sixteenths: a template of them takes half the room, and less.

    Attributes
    ----------
    vector : how many values of a row are the embedding.
    learned_channels : of the learned frames; None without them.
    """

    def __init__(self, encoder: PenMembers, *, learned: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.unit_norm = encoder.unit_norm
        self.vector = encoder.size
        self.learned_channels = encoder.channels if learned else None

    def rounding(self, size: int) -> Tensor:
        """By how much each of the `size` values of a row may differ where what is rounded hardly differs."""
        allowed = torch.zeros(size)
        if self.learned_channels is not None:
            points = 2 * (size - self.vector) // (2 * len(_TRACE) + self.learned_channels)
            allowed[self.vector + len(_TRACE) * points :] = 1.0 / _STEPS
        return allowed

    def forward(self, frames: Tensor) -> Tensor:
        trace = torch.cat([frames[:, index] for index in _TRACE], 1).half().float()
        embeddings, learned = self.encoder.embed(frames)
        if self.learned_channels is None:
            return torch.cat([embeddings, trace], 1)
        return torch.cat([embeddings, trace, torch.round(learned * _STEPS).flatten(1) / _STEPS], 1)
