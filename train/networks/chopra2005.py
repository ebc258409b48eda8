"""The convolutional network of Chopra, Hadsell & LeCun 2005, section 3.

    input 56 x 46 grey
    C1  15 maps, 7 x 7 convolutions      50 x 40
    S2  15 maps, 2 x 2 sub-sampling      25 x 20
    C3  45 maps, 6 x 6, partly connected 20 x 15
    S4  45 maps, 4 x 3 sub-sampling       5 x  5
    C5  250 units, fully connected (250 kernels of 5 x 5 over all 45 maps)
    F6  50 units, fully connected

Sub-sampling is LeNet's: the mean of the field times a trained coefficient plus a trained bias. Every layer ends in
tanh, so the output is bounded, as the loss needs (its Q is an upper bound of the energy). The parameter counts printed
in the paper contradict each other; docs/decisions says which reading was taken and why.
"""

import torch
from torch import Tensor, nn

# Which of the 15 maps of S2 (columns) feed each of the 45 maps of C3 (rows): 25 rows of five and 20 rows of four make
# 205 kernels of 6 x 6, hence 205 · 36 + 45 = 7,425 trained values, the number the paper prints for C3. As in LeNet-5,
# each map sees another subset, which breaks symmetry: neighbours first, then strided, then pairs of neighbours.
C3_TABLE = (
    "XXXXX..........",
    ".XXXXX.........",
    "..XXXXX........",
    "...XXXXX.......",
    "....XXXXX......",
    ".....XXXXX.....",
    "......XXXXX....",
    ".......XXXXX...",
    "........XXXXX..",
    ".........XXXXX.",
    "..........XXXXX",
    "X..........XXXX",
    "XX..........XXX",
    "XXX..........XX",
    "XXXX..........X",
    "X..X..X..X..X..",
    ".X..X..X..X..X.",
    "..X..X..X..X..X",
    "X.X.X.X.X......",
    ".X.X.X.X.X.....",
    "..X.X.X.X.X....",
    "...X.X.X.X.X...",
    "....X.X.X.X.X..",
    ".....X.X.X.X.X.",
    "......X.X.X.X.X",
    "XXXX...........",
    "...XXXX........",
    "......XXXX.....",
    ".........XXXX..",
    "X...........XXX",
    "XX.....XX......",
    ".XX.....XX.....",
    "..XX.....XX....",
    "...XX.....XX...",
    "....XX.....XX..",
    ".....XX.....XX.",
    "......XX.....XX",
    "X......XX.....X",
    "XX......XX.....",
    ".XX......XX....",
    "..XX......XX...",
    "...XX......XX..",
    "....XX......XX.",
    ".....XX......XX",
    "X.....XX......X",
)


class SubSampling(nn.Module):
    """tanh(coefficient · mean over the field + bias), one coefficient and one bias a map."""

    def __init__(self, maps: int, height: int, width: int) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d((height, width))
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.coefficient * self.mean(x) + self.bias)


class PartlyConnected(nn.Module):
    """A convolution whose kernels exist only where the table has an X; the others are masked to zero.

    `absent` is the number of values in the masked kernels.
    """

    connected: Tensor

    def __init__(self, table: tuple[str, ...], kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(len(table[0]), len(table), kernel)
        connected = torch.tensor([[cell == "X" for cell in row] for row in table], dtype=torch.float32)
        self.register_buffer("connected", connected[:, :, None, None])
        self.absent = int((connected == 0.0).sum()) * kernel * kernel
        # Fan-in is what the table leaves, not all 15 maps.
        bound = 1.0 / (connected.sum(1) * kernel * kernel).sqrt()
        with torch.no_grad():
            self.convolution.weight.uniform_(-1.0, 1.0).mul_(bound[:, None, None, None] * 1.7)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.convolution.weight * self.connected, self.convolution.bias)


class Chopra2005Encoder(nn.Module):
    """float32 (N, 1, 56, 46) → embeddings float32 (N, 50): each value in (−1, 1), or all of unit norm.

    Parameters
    ----------
    unit_norm : how the output is bounded: by tanh, or by its Euclidean norm.
    """

    def __init__(self, *, unit_norm: bool = False) -> None:
        super().__init__()
        self.unit_norm = unit_norm
        self.c1 = nn.Conv2d(1, 15, 7)
        self.s2 = SubSampling(15, 2, 2)
        self.c3 = PartlyConnected(C3_TABLE, 6)
        self.s4 = SubSampling(45, 4, 3)
        self.c5 = nn.Conv2d(45, 250, 5)
        self.f6 = nn.Linear(250, 50)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.c1(x))  # (N, 15, 50, 40)
        y = self.s2(y)  # (N, 15, 25, 20)
        y = torch.tanh(self.c3(y))  # (N, 45, 20, 15)
        y = self.s4(y)  # (N, 45, 5, 5)
        y = torch.tanh(self.c5(y)).flatten(1)  # (N, 250)
        y = self.f6(y)  # (N, 50)
        return nn.functional.normalize(y, dim=1, eps=1e-6) if self.unit_norm else torch.tanh(y)
