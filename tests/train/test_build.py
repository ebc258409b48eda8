"""A recipe names its network and its sampler; options that they do not have are refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from encode.errors import TrainingError
from train.build import build_network, build_sampler
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.residual import ResidualEncoder
from train.pixels import PixelSet
from train.recipe import Recipe
from train.samplers import PairSampler, PeopleSampler

MakeRecipe = Callable[..., Recipe]
CHOPRA: dict[str, Any] = {"network": "chopra2005", "losses": [{"kind": "chopra2005"}]}


def test_the_residual_network_has_the_sides_of_the_preprocessing(make_recipe: MakeRecipe) -> None:
    network = build_network(make_recipe())
    assert isinstance(network, ResidualEncoder)
    assert (network.config.height, network.config.width) == (32, 24)
    assert (network.config.channels, network.config.embedding) == ((4, 8, 8, 8), 16)


@pytest.mark.parametrize("unit_norm", [False, True])
def test_the_2005_network_is_bounded_as_asked(make_recipe: MakeRecipe, unit_norm: bool) -> None:
    network = build_network(make_recipe(**CHOPRA, network_options={"unit_norm": unit_norm}))
    assert isinstance(network, Chopra2005Encoder)
    assert network.unit_norm is unit_norm


def test_weights_follow_from_the_seed(make_recipe: MakeRecipe) -> None:
    torch.manual_seed(99)
    first = build_network(make_recipe())
    torch.manual_seed(7)
    second, other = build_network(make_recipe()), build_network(make_recipe(seed=1))
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"network_options": {"chanels": [4]}},
        {"network_options": {"channels": [4, 8], "blocks": [1]}},
        {"network_options": {"blocks": 3}},
        {**CHOPRA, "network_options": {"unitnorm": True}},
        {**CHOPRA, "network_options": {"channels": [4]}},
    ],
)
def test_options_that_the_network_does_not_have_are_refused(make_recipe: MakeRecipe, changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingError) as caught:
        build_network(make_recipe(**changes))
    assert caught.value.field == "network_options"


def test_pairs_are_drawn_where_the_recipe_asks_for_them(make_recipe: MakeRecipe, training: PixelSet) -> None:
    people = build_sampler(make_recipe(batch={"people": 3, "samples": 2}), training)
    assert isinstance(people, PeopleSampler)
    assert len(people.batch(0)) == 6
    pairs = build_sampler(make_recipe(batch={"pairs": 5}), training)
    assert isinstance(pairs, PairSampler)
    assert len(pairs.batch(0)) == 10
