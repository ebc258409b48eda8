"""An encoder that looks at each face and at its mirror image.

    embedding = u / ||u||,   u = f(x) + f(mirrored x)

Faces are nearly symmetric, lighting and pose are not: the average forgets some of what is not the person. It doubles
the cost of an embedding and is exported as part of the network, so that serving needs to know nothing of it.
"""

import torch
from torch import Tensor, nn

from encode.errors import TrainingError


class MirrorAveraged(nn.Module):
    """float32 (N, 1, H, W) → unit-norm embeddings float32 (N, D) of a network that puts out unit-norm embeddings.

    Raises TrainingError for any other network.
    """

    unit_norm = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if not network.unit_norm:
            raise TrainingError("mirror needs unit-norm embeddings; this network has none", field="mirror")
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        both = self.network(x) + self.network(torch.flip(x, dims=(3,)))
        return nn.functional.normalize(both, dim=1, eps=1e-6)
