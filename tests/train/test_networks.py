"""The 2005 network layer by layer against the paper, and the residual encoder's shapes and sizes."""

import pytest
import torch
from torch import Tensor, nn

from train.networks.chopra2005 import C3_TABLE, Chopra2005Encoder, PartlyConnected, SubSampling
from train.networks.residual import Block, ResidualConfig, ResidualEncoder, count_parameters

TINY = ResidualConfig(height=32, width=24, channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1), embedding=16)


@pytest.fixture(scope="module")
def chopra() -> Chopra2005Encoder:
    torch.manual_seed(0)
    return Chopra2005Encoder()


def test_the_connection_table_has_the_papers_number_of_trained_values() -> None:
    """45 maps over 15, 205 kernels of 6 x 6 and 45 biases: the 7,425 the paper prints for C3."""
    assert len(C3_TABLE) == 45
    assert {len(row) for row in C3_TABLE} == {15}
    assert set("".join(C3_TABLE)) == {"X", "."}
    connections = "".join(C3_TABLE).count("X")
    assert connections == 205
    assert connections * 36 + 45 == 7425


def test_every_map_of_c3_sees_another_subset() -> None:
    assert len(set(C3_TABLE)) == 45


def test_every_map_of_s2_is_seen_about_equally_often() -> None:
    seen = [sum(row[column] == "X" for row in C3_TABLE) for column in range(15)]
    assert min(seen) >= 11
    assert max(seen) <= 17


def test_layers_have_the_papers_shapes(chopra: Chopra2005Encoder) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))  # type: ignore[misc]
        for name, module in chopra.named_children()
    ]
    chopra(torch.zeros(2, 1, 56, 46))
    for hook in hooks:
        hook.remove()
    assert shapes == {
        "c1": (15, 50, 40),
        "s2": (15, 25, 20),
        "c3": (45, 20, 15),
        "s4": (45, 5, 5),
        "c5": (250, 1, 1),
        "f6": (50,),
    }


def test_layers_have_the_papers_numbers_of_trained_values(chopra: Chopra2005Encoder) -> None:
    found = {name: count_parameters(module) for name, module in chopra.named_children()}
    assert found == {"c1": 750, "s2": 30, "c3": 7425, "s4": 90, "c5": 281_500, "f6": 12_550}
    assert count_parameters(chopra) == sum(found.values())


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_outputs_lie_inside_the_cube(chopra: Chopra2005Encoder, scale: float) -> None:
    """Q is an upper bound of the distance only while every output stays within (−1, 1)."""
    x = torch.randn(5, 1, 56, 46, generator=torch.Generator().manual_seed(1)) * scale
    with torch.no_grad():
        found = chopra(x)
    assert found.shape == (5, 50)
    assert float(found.abs().max()) < 1.0
    assert not chopra.unit_norm


def test_the_2005_network_may_be_bounded_by_its_norm_instead() -> None:
    torch.manual_seed(0)
    network = Chopra2005Encoder(unit_norm=True)
    with torch.no_grad():
        found = network(torch.randn(5, 1, 56, 46))
    assert network.unit_norm
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))


def test_unconnected_kernels_neither_act_nor_learn() -> None:
    torch.manual_seed(0)
    layer = PartlyConnected(("X.", ".X", "XX"), 3)
    assert layer.absent == 2 * 9
    assert count_parameters(layer) == 4 * 9 + 3
    x = torch.randn(1, 2, 5, 5, requires_grad=True)
    layer(x)[:, 0].sum().backward()
    assert x.grad is not None
    assert float(x.grad[:, 1].abs().sum()) == 0.0
    assert float(x.grad[:, 0].abs().sum()) > 0.0
    layer.zero_grad()
    layer(x.detach()).sum().backward()
    weight = layer.convolution.weight
    assert weight.grad is not None
    assert float(weight.grad[0, 1].abs().sum()) == float(weight.grad[1, 0].abs().sum()) == 0.0
    assert float(weight.grad[2].abs().min()) > 0.0
    with torch.no_grad():
        before = layer(x)
        weight[0, 1] = 100.0
        torch.testing.assert_close(layer(x), before)


def test_weights_start_within_what_the_table_leaves_of_the_fan_in() -> None:
    torch.manual_seed(0)
    layer = PartlyConnected(C3_TABLE, 6)
    for row, weights in zip(C3_TABLE, layer.convolution.weight, strict=True):
        bound = 1.7 / (row.count("X") * 36) ** 0.5
        assert 0.9 * bound < float(weights.detach().abs().max()) <= bound


def test_sub_sampling_is_a_scaled_mean_through_tanh() -> None:
    layer = SubSampling(2, 2, 3)
    with torch.no_grad():
        layer.coefficient[:] = torch.tensor([0.5, -2.0]).view(2, 1, 1)
        layer.bias[:] = torch.tensor([0.1, 0.2]).view(2, 1, 1)
        x = torch.randn(1, 2, 4, 6, generator=torch.Generator().manual_seed(0))
        found = layer(x)
    assert found.shape == (1, 2, 2, 2)
    for channel, (coefficient, bias) in enumerate([(0.5, 0.1), (-2.0, 0.2)]):
        for row in range(2):
            for column in range(2):
                field = x[0, channel, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
                expected = torch.tanh(coefficient * field.mean() + bias)
                assert float(found[0, channel, row, column]) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(64, 52), (33, 25), (112, 92)])
def test_residual_embeddings_are_unit_vectors_for_any_sides(height: int, width: int, stride: int) -> None:
    torch.manual_seed(0)
    config = ResidualConfig(height, width, (4, 8, 8, 8), (2, 1, 1, 1), 12, stem_stride=stride)
    network = ResidualEncoder(config).eval()
    with torch.no_grad():
        found = network(torch.randn(3, 1, height, width))
    assert network.unit_norm
    assert found.shape == (3, 12)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_the_shipped_sizes_stay_under_two_million_values() -> None:
    for stride in (1, 2):
        assert count_parameters(ResidualEncoder(ResidualConfig(stem_stride=stride))) < 2_000_000


def test_what_is_frozen_is_not_counted() -> None:
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    assert count_parameters(network) == 6


def test_stages_and_blocks_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        ResidualEncoder(ResidualConfig(channels=(4, 8), blocks=(1,)))


@pytest.mark.parametrize("make", [lambda: ResidualEncoder(TINY), Chopra2005Encoder])
def test_rows_of_a_batch_do_not_touch_each_other_when_serving(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = make().eval()
    shape = (1, 56, 46) if isinstance(network, Chopra2005Encoder) else (1, 32, 24)
    x = torch.randn(5, *shape)
    with torch.no_grad():
        whole = network(x)
        alone = torch.cat([network(row[None]) for row in x])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network, x = ResidualEncoder(TINY), torch.randn(6, 1, 32, 24)
    assert not torch.equal(network(x), network(x))
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(x), network(x))


def test_a_block_adds_its_input() -> None:
    """With the last convolution at zero, what is left is the shortcut."""
    torch.manual_seed(0)
    same, wider = Block(4, 4, 1), Block(4, 6, 2)
    x = torch.randn(2, 4, 7, 5)
    for block in (same, wider):
        nn.init.zeros_(block.conv2.weight)
    torch.testing.assert_close(same(x), x)
    assert isinstance(wider.shortcut, nn.Conv2d)
    torch.testing.assert_close(wider(x), wider.shortcut(x))
    assert wider(x).shape == (2, 6, 4, 3)


def test_every_parameter_of_a_network_learns(chopra: Chopra2005Encoder) -> None:
    networks: list[tuple[nn.Module, Tensor]] = [
        (chopra, torch.randn(4, 1, 56, 46)),
        (ResidualEncoder(TINY), torch.randn(4, 1, 32, 24)),
    ]
    for network, x in networks:
        network.zero_grad()
        (network(x) * torch.randn(4, network(x).shape[1])).sum().backward()
        idle = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
        assert idle == []
