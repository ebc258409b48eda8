"""What a camera, a day and a hat do to a face, as torchvision v2 transforms that draw anew for every image of a batch.

torchvision's own random transforms draw once per call; called once per image they cost more than the network. These
take uint8 crops with margins (N, 1, H + 2·my, W + 2·mx) and work on the whole batch at once.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges: degrees, fractions, pixels of the encoder's input; `p_*` are probabilities per image."""

    rotation: float = 7.0
    zoom: float = 0.12
    aspect: float = 0.06
    shift: float = 3.0
    p_flip: float = 0.5
    p_low_resolution: float = 0.3
    p_light: float = 0.4
    gamma: float = 0.3
    p_occlusion: float = 0.4
    noise: float = 0.02


def _uniform(count: int, spread: float) -> Tensor:
    return (torch.rand(count) * 2.0 - 1.0) * spread


class CropAffine(v2.Transform):
    """Rotate, zoom, stretch, shift and mirror, sampling the margin; (N, 1, H + 2·my, W + 2·mx) → (N, 1, H, W)."""

    def __init__(self, config: AugmentConfig, margin: tuple[int, int]) -> None:
        super().__init__()
        self.config, self.margin = config, margin

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        config, (my, mx) = self.config, self.margin
        count, _, full_height, full_width = inpt.shape
        height, width = full_height - 2 * my, full_width - 2 * mx
        angle = _uniform(count, math.radians(config.rotation))
        zoom = torch.exp(_uniform(count, config.zoom))
        stretch = torch.exp(_uniform(count, config.aspect))
        mirror = torch.where(torch.rand(count) < config.p_flip, -1.0, 1.0)
        # affine_grid works in [−1, 1] of each side: lengths are turned into pixels and back, or a rotation would shear.
        half_w, half_h = width / 2.0, height / 2.0
        cos, sin = torch.cos(angle), torch.sin(angle)
        theta = torch.zeros(count, 2, 3)
        theta[:, 0, 0] = mirror * zoom * stretch * cos * width / full_width
        theta[:, 0, 1] = -zoom * sin * half_h / (full_width / 2.0)
        theta[:, 1, 0] = mirror * zoom * stretch * sin * half_w / (full_height / 2.0)
        theta[:, 1, 1] = zoom * cos * height / full_height
        theta[:, 0, 2] = _uniform(count, config.shift) * 2.0 / full_width
        theta[:, 1, 2] = _uniform(count, config.shift) * 2.0 / full_height
        grid = functional.affine_grid(theta, [count, 1, height, width], align_corners=False)
        return functional.grid_sample(inpt, grid, mode="bilinear", padding_mode="border", align_corners=False)


class LowResolution(v2.Transform):
    """Some images shrunk (by one factor a batch) and enlarged again: a face far from the camera."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        chosen = torch.rand(len(inpt)) < self.probability
        if not chosen.any():
            return inpt
        factor = 1.3 + 2.2 * float(torch.rand(()))
        size = inpt.shape[-2:]
        small = functional.interpolate(inpt[chosen], scale_factor=1.0 / factor, mode="bilinear", antialias=True)
        output = inpt.clone()
        output[chosen] = functional.interpolate(small, size=size, mode="bilinear", antialias=False)
        return output


class Light(v2.Transform):
    """Gamma, contrast and brightness on all, a linear ramp of light across some; values stay in [0, 1]."""

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__()
        self.config = config

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        count, _, height, width = inpt.shape
        shape = (count, 1, 1, 1)
        y = inpt.clamp(1e-3, 1.0) ** torch.exp(_uniform(count, self.config.gamma)).view(shape)
        contrast = torch.exp(_uniform(count, 0.25)).view(shape)
        y = (y - 0.5) * contrast + 0.5 + _uniform(count, 0.1).view(shape)
        direction = _uniform(count, math.pi).view(shape)
        lit = (torch.rand(count) < self.config.p_light).view(shape)
        strength = torch.where(lit, _uniform(count, 0.45).view(shape), torch.zeros(()))
        columns = torch.linspace(-1.0, 1.0, width).view(1, 1, 1, width)
        rows = torch.linspace(-1.0, 1.0, height).view(1, 1, height, 1)
        y = y * (1.0 + strength * (columns * torch.cos(direction) + rows * torch.sin(direction)))
        return (y + torch.randn_like(y) * self.config.noise).clamp(0.0, 1.0)


class Occlusion(v2.Transform):
    """A box of random grey over some images: anywhere (hand), across the eyes (glasses), or low (scarf)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        count, _, height, width = inpt.shape
        kind = torch.randint(0, 3, (count,))
        eyes, scarf = kind == 1, kind == 2
        tall = torch.where(eyes, 0.12 + 0.12 * torch.rand(count), 0.15 + 0.3 * torch.rand(count)) * height
        tall = torch.where(scarf, (0.25 + 0.25 * torch.rand(count)) * height, tall)
        wide = torch.where(eyes | scarf, torch.full((count,), float(width)), (0.2 + 0.35 * torch.rand(count)) * width)
        top = torch.rand(count) * (height - tall)
        top = torch.where(eyes, (0.22 + 0.1 * torch.rand(count)) * height, top)
        top = torch.where(scarf, height - tall, top)
        left = torch.rand(count) * (width - wide)
        rows = torch.arange(height).view(1, height, 1)
        columns = torch.arange(width).view(1, 1, width)

        def column(value: Tensor) -> Tensor:
            return value.view(count, 1, 1)

        inside = (rows >= column(top)) & (rows < column(top + tall))
        inside = inside & (columns >= column(left)) & (columns < column(left + wide))
        inside = inside & (torch.rand(count) < self.probability).view(count, 1, 1)
        grey = torch.rand(count, 1, 1, 1) + 0.08 * torch.randn(count, 1, height, width)
        return torch.where(inside[:, None], grey.clamp(0.0, 1.0), inpt)


def build_augmentation(config: AugmentConfig, margin: tuple[int, int]) -> v2.Compose:
    """uint8 crops with margins → float32 (N, 1, H, W) in [0, 1], another draw for every image."""
    return v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            CropAffine(config, margin),
            LowResolution(config.p_low_resolution),
            Light(config),
            Occlusion(config.p_occlusion),
        ]
    )
