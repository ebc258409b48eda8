"""Averaging with the mirror image: the same embedding for both, of unit norm, and exported as one network."""

import numpy as np
import pytest
import torch

from encode.errors import TrainingError
from encode.runtime import ort
from train.export import export_onnx
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.mirror import MirrorAveraged
from train.networks.residual import ResidualConfig, ResidualEncoder, count_parameters


@pytest.fixture(scope="module")
def network() -> ResidualEncoder:
    torch.manual_seed(0)
    config = ResidualConfig(height=32, width=24, channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1), embedding=16)
    return ResidualEncoder(config).eval()


def faces(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 1, 32, 24, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_it_is_the_sum_of_both_on_the_sphere(network: ResidualEncoder) -> None:
    found = MirrorAveraged(network)(faces())
    for image, embedding in zip(faces(), found, strict=True):
        mirrored = torch.from_numpy(image.numpy()[:, :, ::-1].copy())
        total = network(image[None])[0] + network(mirrored[None])[0]
        torch.testing.assert_close(embedding, total / total.norm(), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_mirror_image_changes_nothing(network: ResidualEncoder) -> None:
    averaged = MirrorAveraged(network)
    torch.testing.assert_close(averaged(faces().flip(3)), averaged(faces()), atol=1e-5, rtol=1e-5)
    assert float((network(faces().flip(3)) - network(faces())).abs().max()) > 0.05


def test_it_trains_nothing_of_its_own(network: ResidualEncoder) -> None:
    averaged = MirrorAveraged(network)
    assert averaged.unit_norm
    assert count_parameters(averaged) == count_parameters(network)


def test_a_network_off_the_sphere_is_refused() -> None:
    with pytest.raises(TrainingError, match="needs unit-norm") as caught:
        MirrorAveraged(Chopra2005Encoder())
    assert caught.value.field == "mirror"
    assert MirrorAveraged(Chopra2005Encoder(unit_norm=True)).unit_norm


@torch.no_grad()
def test_the_exported_file_mirrors_too(network: ResidualEncoder) -> None:
    averaged = MirrorAveraged(network).eval()
    session = ort.InferenceSession(export_onnx(averaged, (1, 32, 24)), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        (found,) = session.run(None, {"input": faces(count).numpy()})
        np.testing.assert_allclose(found, averaged(faces(count)).numpy(), atol=1e-4)
