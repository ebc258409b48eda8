"""The time delay neural network of Bromley, Guyon, LeCun, Säckinger & Shah 1993, section 4 ("architecture 1").

    layer            maps x times   field (maps x times)   step   trained values
    input             8 x 200
    first            12 x  64       8 x 11                 3      12 · (8 · 11 + 1)  = 1,068
    second, output   16 x  19      12 x 10                 3      16 · (12 · 10 + 1) = 1,936
    averaged          4 x  19                                     none
                                                                  all together         3,004

A time delay network is a convolution along time whose fields span every map below. Both layers move in steps of three
points, which is the only reading that gives the paper's sizes: (200 − 11)/3 + 1 = 64 and (64 − 10)/3 + 1 = 19, each
without a remainder; nothing is sub-sampled in between.

The output is read as one vector, map after map: 16 · 19 = 304 numbers. The compact form, 4 · 19 = 76 numbers a
signature, is the mean of each four neighbouring maps at every time: it trains nothing of its own, so the network stays
one, and its memory is a quarter. The paper gives the size and the averaging, not which maps belong together.

Units are f(a) = 1.7159 · tanh(2a/3), with weights drawn evenly from ± 2.4/F, F the number of inputs of a unit (LeCun
1989, *Generalization and network design strategies*): the paper names no other, and it is what the same group used
then. The scaling makes f(±1) = ±1 with the strongest curvature there, so that a sum of inputs of unit variance stays in
the middle of the slope.
"""

import torch
from torch import Tensor, nn

INPUT_SHAPE = (8, 200)
"""Features and points in time of the input."""

AVERAGED_MAPS = 4
_MAPS, _TIMES = 16, 19


def squash(x: Tensor) -> Tensor:
    """1.7159 · tanh(2x/3), elementwise; values within (−1.7159, 1.7159)."""
    return 1.7159 * torch.tanh(x * (2.0 / 3.0))


class Bromley1993Encoder(nn.Module):
    """float32 (N, 8, 200) → embeddings float32 (N, 304), or (N, 76) if `averaged`; values in (−1.716, 1.716).

    Parameters
    ----------
    averaged : the compact output, each four neighbouring maps averaged.
    unit_norm : divide the output by its Euclidean norm. The cosine that the 1993 loss looks at does not change by it;
        the Gaussian of a person then sees directions alone.
    """

    def __init__(self, *, averaged: bool = False, unit_norm: bool = False) -> None:
        super().__init__()
        self.averaged, self.unit_norm = averaged, unit_norm
        self.first = nn.Conv1d(INPUT_SHAPE[0], 12, 11, stride=3)
        self.second = nn.Conv1d(12, _MAPS, 10, stride=3)
        for layer in (self.first, self.second):
            bound = 2.4 / (layer.in_channels * layer.kernel_size[0])
            with torch.no_grad():
                for values in layer.parameters():
                    values.uniform_(-bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        y = squash(self.first(x))  # (N, 12, 64)
        y = squash(self.second(y))  # (N, 16, 19)
        if self.averaged:
            y = y.view(-1, AVERAGED_MAPS, _MAPS // AVERAGED_MAPS, _TIMES).mean(2)  # (N, 4, 19)
        y = y.flatten(1)  # (N, 304) or (N, 76)
        return nn.functional.normalize(y, dim=1, eps=1e-6) if self.unit_norm else y
