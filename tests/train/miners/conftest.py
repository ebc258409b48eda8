"""Points to mine from."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def sphere_of() -> Callable[[int, int], Tensor]:
    """``sphere_of(count, size)``: unit-norm embeddings (N, D), float64."""

    def draw(count: int, size: int) -> Tensor:
        generator = torch.Generator().manual_seed(2)
        points = torch.randn(count, size, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(points, dim=1)

    return draw
