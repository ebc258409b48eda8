"""Discriminants that whiten the within-class spread, and a network that puts them out."""

import numpy as np
import pytest
import torch
from torch import nn

from train.compact import Projected, compacted, discriminants
from train.embedding import Embedded
from train.networks.pen_residual import PenMembers, PenResidualConfig, PenResidualEncoder
from train.recipe import Compact


def covariances(size: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=(size, size)) for _ in range(2))
    within = a @ a.T + np.eye(size)
    return within, within + b @ b.T


def test_discriminants_whiten_and_come_in_the_order_of_what_they_tell_apart() -> None:
    within, total = covariances(6)
    v = discriminants(within, total, 4)
    assert v.shape == (6, 4)
    np.testing.assert_allclose(v.T @ within @ v, np.eye(4), atol=1e-10)
    ratios = np.diag(v.T @ total @ v)
    np.testing.assert_allclose(ratios, np.sort(np.linalg.eigvals(np.linalg.solve(within, total)).real)[::-1][:4])


def test_the_network_puts_out_the_projection() -> None:
    within, total = covariances(5)
    matrix, mean = discriminants(within, total, 2), np.arange(5.0)
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    found = Projected(nn.Identity(), matrix, mean)(x)
    np.testing.assert_allclose(found.numpy(), (x.numpy() - mean) @ matrix, rtol=1e-4, atol=1e-5)


def test_a_compact_form_keeps_moments_alone() -> None:
    small = PenResidualConfig(width=8, stem=8, embedding=6, frame=4, dilations=(1,), late_dilations=(1,), heads=1)
    encoder = PenMembers([PenResidualEncoder(small)]).eval()
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(8), 4)
    x = generator.normal(size=(8, 6))[labels] + 0.1 * generator.normal(size=(32, 6))
    embedded = Embedded(np.concatenate([x, np.zeros((32, 9))], 1), labels, ("c",) * 32, np.zeros(32, np.bool_), 6)
    served = compacted(encoder, embedded, Compact(size=3, limit=20))
    assert served.matching is None
    assert {(one.identity.storage, one.identity.limit) for one in served.candidates} == {("moments", 20)}
    assert served.network(torch.zeros(2, 5, 32)).shape == (2, 3)
    with pytest.raises(ValueError, match="size must be at least 1"):
        Compact(size=0)
