"""Frames of a pen trace → the features of motion the modern signature network reads, inside the network.

With x and y smoothed by [1 2 1]/4, slopes d = (dx, dy) by five-point regression, r their root mean square over the ink,
u = d / √(|d|² + (r/100)²) the direction, and a the slope of d/r:

    0, 1     x, y
    2, 3     dx/r, dy/r
    4        log(|d|/r + 0.05)
    5, 6     u
    7, 8     2·a·u, 2·(u × a)                     tangential and centripetal acceleration
    9        ½·log((|d|²/r² + 0.02) / (|u × a| + 0.02))     radius of curvature
    10, 11   pressure, 4·(its slope)
    12       gap
    13       1 all over where pressure was measured, 0 where not

The overall speed is left out on purpose: forgers of the training corpora are slow, and a network that may look at it
learns little else (see docs/training.md).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES = 14


class PenFeatures(nn.Module):
    """float32 (B, 5, T) of `encode.pen_frames` → features (B, 14, T), zero behind the end, and the mask (B, 1, T)."""

    smoothing: Tensor
    slope: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("smoothing", torch.tensor([[[0.25, 0.5, 0.25]]]), persistent=False)
        self.register_buffer("slope", torch.tensor([[[-0.2, -0.1, 0.0, 0.1, 0.2]]]), persistent=False)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        mask = (frames[:, 4:5] > 0.5).to(frames.dtype)
        count = mask.sum(2, keepdim=True).clamp(min=1.0)
        position = _filtered(frames[:, :2], self.smoothing)
        pressure, gap = frames[:, 2:3], frames[:, 3:4]
        d = _filtered(position, self.slope) * mask
        squared = (d * d).sum(1, keepdim=True)
        r = torch.sqrt((squared * mask).sum(2, keepdim=True) / count + 1e-8)
        relative, speed = d / r, torch.sqrt(squared + 1e-8) / r
        u = d / torch.sqrt(squared + 1e-4 * r * r)
        a = _filtered(relative, self.slope) * mask
        tangential = (a * u).sum(1, keepdim=True)
        centripetal = u[:, 0:1] * a[:, 1:2] - u[:, 1:2] * a[:, 0:1]
        radius = torch.log((speed * speed + 0.02) / (centripetal.abs() + 0.02))
        measured = (pressure.abs().amax(2, keepdim=True) > 0).to(frames.dtype).expand_as(pressure)
        features = torch.cat(
            [
                position,
                relative,
                torch.log(speed + 0.05),
                u,
                2.0 * tangential,
                2.0 * centripetal,
                0.5 * radius,
                pressure,
                4.0 * _filtered(pressure, self.slope) * mask,
                gap,
                measured,
            ],
            1,
        )
        return features * mask, mask


def _filtered(values: Tensor, kernel: Tensor) -> Tensor:
    """Every channel of (B, C, T) convolved with an odd kernel, the ends repeated."""
    batch, channels, length = values.shape
    reach = kernel.shape[-1] // 2
    padded = functional.pad(values.reshape(batch * channels, 1, length), (reach, reach), mode="replicate")
    return functional.conv1d(padded, kernel).view(batch, channels, length)
