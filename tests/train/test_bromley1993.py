"""The 1993 network layer by layer against the paper's sizes and against sums written out."""

import pytest
import torch

from train.networks.bromley1993 import INPUT_SHAPE, Bromley1993Encoder, squash
from train.networks.residual import count_parameters


@pytest.fixture
def network() -> Bromley1993Encoder:
    torch.manual_seed(0)
    return Bromley1993Encoder()


def signatures(count: int = 3, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(count, *INPUT_SHAPE, generator=torch.Generator().manual_seed(1)) * scale


def test_layers_have_the_papers_sizes_and_numbers_of_trained_values(network: Bromley1993Encoder) -> None:
    first = network.first(signatures())
    assert first.shape[1:] == (12, 64)
    assert network.second(first).shape[1:] == (16, 19)
    assert [count_parameters(layer) for layer in (network.first, network.second)] == [1068, 1936]
    assert count_parameters(network) == 3004


def test_a_unit_is_a_squashed_sum_over_its_field(network: Bromley1993Encoder) -> None:
    x = signatures(1)
    with torch.no_grad():
        found = network(x).view(16, 19)
        hidden = torch.zeros(12, 64)
        for map_, time in [(m, t) for m in range(12) for t in range(64)]:
            field = x[0, :, 3 * time : 3 * time + 11]
            hidden[map_, time] = squash((network.first.weight[map_] * field).sum() + network.first.bias[map_])
        for map_, time in [(0, 0), (7, 3), (15, 18)]:
            field = hidden[:, 3 * time : 3 * time + 10]
            expected = squash((network.second.weight[map_] * field).sum() + network.second.bias[map_])
            torch.testing.assert_close(found[map_, time], expected, atol=1e-5, rtol=1e-5)


def test_the_fields_reach_the_last_point(network: Bromley1993Encoder) -> None:
    """3 · 63 + 11 = 200 and 3 · 18 + 10 = 64: no point is left over at the end."""
    x = signatures(1).requires_grad_()
    network(x).square().sum().backward()
    assert x.grad is not None
    assert bool((x.grad[0].abs().sum(0) > 0).all())


def test_the_squashing_function_keeps_one_at_one() -> None:
    points = torch.tensor([-1.0, 0.0, 1.0, 100.0])
    torch.testing.assert_close(squash(points), torch.tensor([-1.0, 0.0, 1.0, 1.7159]), atol=1e-4, rtol=0)


def test_the_averaged_form_is_the_mean_of_four_neighbouring_maps(network: Bromley1993Encoder) -> None:
    compact = Bromley1993Encoder(averaged=True)
    compact.load_state_dict(network.state_dict())
    with torch.no_grad():
        full, found = network(signatures()).view(3, 16, 19), compact(signatures())
    assert found.shape == (3, 76)
    for group in range(4):
        torch.testing.assert_close(found.view(3, 4, 19)[:, group], full[:, 4 * group : 4 * group + 4].mean(1))
    assert count_parameters(compact) == 3004


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_outputs_are_bounded_as_asked(averaged: bool, scale: float) -> None:
    torch.manual_seed(0)
    plain, unit = (Bromley1993Encoder(averaged=averaged, unit_norm=unit_norm) for unit_norm in (False, True))
    with torch.no_grad():
        assert float(plain(signatures(scale=scale)).abs().max()) <= 1.7159
        torch.testing.assert_close(unit(signatures(scale=scale)).norm(dim=1), torch.ones(3))
    assert (plain.unit_norm, unit.unit_norm) == (False, True)


def test_weights_start_within_what_the_fan_in_allows(network: Bromley1993Encoder) -> None:
    for layer, inputs in ((network.first, 8 * 11), (network.second, 12 * 10)):
        assert 0.95 * 2.4 / inputs < float(layer.weight.detach().abs().max()) <= 2.4 / inputs


def test_rows_of_a_batch_do_not_touch_each_other(network: Bromley1993Encoder) -> None:
    x = signatures(5)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[3:4], network(x[3:4]))
