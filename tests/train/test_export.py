"""The ONNX file computes what the network computes, at any batch size, or the export fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from encode.errors import TrainingError
from encode.runtime import ort
from train.export import PARITY_BATCHES, PARITY_TOLERANCE, check_parity, export_onnx
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.residual import ResidualConfig, ResidualEncoder

TINY = ResidualConfig(height=32, width=24, channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1), embedding=16)

Shape = tuple[int, int, int]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "residual": (lambda: ResidualEncoder(TINY), (1, 32, 24)),
    "chopra2005": (Chopra2005Encoder, (1, 56, 46)),
}


def trained_a_little(make: Callable[[], nn.Module], shape: Shape) -> nn.Module:
    """Running means and variances away from 0 and 1, as training leaves them."""
    torch.manual_seed(0)
    network = make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, *shape) + 0.5)
    assert isinstance(network, nn.Module)
    return network


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request: pytest.FixtureRequest) -> tuple[nn.Module, bytes, Shape]:
    make, shape = NETWORKS[request.param]
    network = trained_a_little(make, shape)
    assert network.training
    return network, export_onnx(network, shape), shape


def test_parity_is_checked_at_one_two_and_many() -> None:
    assert PARITY_BATCHES == (1, 2, 64)


@pytest.mark.parametrize("batch", [1, 2, 3, 64])
def test_the_file_computes_what_the_network_computes(exported: tuple[nn.Module, bytes, Shape], batch: int) -> None:
    network, data, shape = exported
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))
    (found,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        expected = network.eval()(x).numpy()
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=PARITY_TOLERANCE)


def test_the_file_stands_alone_and_says_its_names(exported: tuple[nn.Module, bytes, Shape]) -> None:
    import onnx

    _, data, shape = exported
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model)
    assert [entry.name for entry in model.graph.input] == ["input"]
    assert [entry.name for entry in model.graph.output] == ["embedding"]
    sides = model.graph.input[0].type.tensor_type.shape.dim
    assert sides[0].dim_param
    assert tuple(side.dim_value for side in sides[1:]) == shape
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_file_says_nothing_of_the_machine_it_was_made_on(exported: tuple[nn.Module, bytes, Shape]) -> None:
    """The exporter writes a stack trace, with the paths of every source file, beside every node."""
    _, data, _ = exported
    for trace in (b"site-packages", b"stack_trace", b".py", str(Path(__file__).parents[2]).encode()):
        assert trace not in data


def test_the_difference_found_is_told(exported: tuple[nn.Module, bytes, Shape]) -> None:
    network, data, shape = exported
    assert 0.0 <= check_parity(network.eval(), data, shape) <= PARITY_TOLERANCE


def test_a_network_that_moved_on_is_not_the_file(exported: tuple[nn.Module, bytes, Shape]) -> None:
    network, data, shape = exported
    last = list(network.parameters())[-1]
    kept = last.detach().clone()
    try:
        with torch.no_grad():
            last.mul_(1.5).add_(0.05)
        with pytest.raises(TrainingError, match="differs from the trained one by") as caught:
            check_parity(network.eval(), data, shape)
        assert caught.value.field == "encoder.onnx"
    finally:
        with torch.no_grad():
            last.copy_(kept)


def test_a_network_that_puts_out_nothing_sensible_is_not_sealed(exported: tuple[nn.Module, bytes, Shape]) -> None:
    """NaN is greater than no tolerance, so a plain comparison would let it pass."""
    network, data, shape = exported
    last = list(network.parameters())[-1]
    kept = last.detach().clone()
    try:
        with torch.no_grad():
            last.fill_(float("nan"))
        with pytest.raises(TrainingError, match="by nan"):
            check_parity(network.eval(), data, shape)
    finally:
        with torch.no_grad():
            last.copy_(kept)


def test_an_export_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout left on when exporting, say: the parity check is part of the export."""
    monkeypatch.setattr("train.export.PARITY_TOLERANCE", -1.0)
    torch.manual_seed(0)
    with pytest.raises(TrainingError, match="differs"):
        export_onnx(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), (1, 4, 3))
