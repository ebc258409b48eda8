"""A small residual convolutional encoder for grey face crops, sized for one CPU core.

Stem, then stages of pre-activation residual blocks (He et al. 2016), each on half the sides of the one before; the last
map is flattened rather than averaged, because aligned faces keep their parts in place (the "E" head of ArcFace, Deng et
al. 2019). ReLU, not PReLU: on a CPU the latter makes a step 1.4 times as long (benchmarks/bench_training_step.py).
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class ResidualConfig:
    """Sides in pixels, channels and number of blocks by stage, embedding size, dropout before the last layer."""

    height: int = 64
    width: int = 52
    channels: tuple[int, ...] = (32, 64, 128, 192)
    blocks: tuple[int, ...] = (2, 2, 2, 1)
    embedding: int = 128
    dropout: float = 0.3
    stem_stride: int = 1


class Block(nn.Module):
    """x + conv(conv(x)), with batch normalisation and ReLU before each convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.act1 = nn.ReLU()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.act2 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.norm1(x))
        y = self.conv2(self.act2(self.norm2(self.conv1(y))))
        shortcut: Tensor = self.shortcut(x)
        total: Tensor = shortcut + y
        return total


class ResidualEncoder(nn.Module):
    """float32 (N, 1, H, W) → unit-norm embeddings float32 (N, D)."""

    unit_norm = True

    def __init__(self, config: ResidualConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ResidualConfig()
        first = config.channels[0]
        # A 5 x 5 stem of stride 2 halves the sides itself (half the cost); a 3 x 3 stem leaves that to the first stage.
        half = config.stem_stride == 2
        self.stem = nn.Conv2d(1, first, 5 if half else 3, config.stem_stride, 2 if half else 1, bias=False)
        stages: list[nn.Module] = []
        inputs, height, width = first, config.height, config.width
        for stage, (outputs, blocks) in enumerate(zip(config.channels, config.blocks, strict=True)):
            for index in range(blocks):
                halved = index > 0 or (stage == 0 and half)
                stages.append(Block(inputs, outputs, stride=1 if halved else 2))
                inputs = outputs
            height, width = (height + 1) // 2, (width + 1) // 2
        self.stages = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(inputs)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(inputs * height * width, config.embedding, bias=False)
        self.out = nn.BatchNorm1d(config.embedding, affine=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(self.stages(self.stem(x))))  # (N, 192, 4, 4)
        y = self.project(self.dropout(y.flatten(1)))  # (N, 128)
        # The norm is taken in float32 under autocast too: bf16 keeps eight bits, too few for a unit vector.
        unit: Tensor = nn.functional.normalize(self.out(y.float()), dim=1, eps=1e-6)
        return unit


def count_parameters(network: nn.Module) -> int:
    """Values that training changes; kernels that a connection table leaves out are not among them."""
    absent = sum(int(getattr(module, "absent", 0)) for module in network.modules())
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) - absent
