"""A second stage begins where the first one ended, and refuses what it cannot begin from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from encode.errors import TrainingError
from train.loop import Trainer
from train.pixels import PixelSet
from train.recipe import Recipe
from train.start import begin_from

MakeRecipe = Callable[..., Recipe]
LOSSES = [{"kind": "cosface", "margin": 0.3}]


@pytest.fixture
def first(make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path) -> Trainer:
    """A run that has ended, in the folder `first`."""
    trainer = Trainer(make_recipe(losses=LOSSES), training, background, tmp_path / "first")
    trainer.run()
    return trainer


def test_the_second_stage_begins_with_the_best_weights_and_the_classes(
    first: Trainer, make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    second = Trainer(make_recipe(losses=LOSSES, name="second", seed=3), training, background, tmp_path / "second")
    begin_from(second, tmp_path / "first")
    for name, value in first.best["weights"].items():
        assert torch.equal(second.network.state_dict()[name], value)
        assert torch.equal(second.average.state_dict()[name], value)
    classes = first.objective.state_dict()
    assert classes
    assert all(torch.equal(second.objective.state_dict()[name], value) for name, value in classes.items())
    assert second.run().steps == 4


def test_classes_of_other_people_begin_anew(
    first: Trainer, make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    second = Trainer(make_recipe(losses=LOSSES, seed=3), background, training, tmp_path / "second")
    before = {name: value.clone() for name, value in second.objective.state_dict().items()}
    begin_from(second, tmp_path / "first")
    assert all(torch.equal(second.objective.state_dict()[name], value) for name, value in before.items())


def test_what_cannot_be_begun_from_is_refused(
    first: Trainer, make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    options = {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding": 12}
    other = Trainer(make_recipe(network_options=options), training, background, tmp_path / "other")
    with pytest.raises(TrainingError, match="another network"):
        begin_from(other, tmp_path / "first")
    with pytest.raises(TrainingError, match="no run with weights"):
        begin_from(other, tmp_path / "nowhere")
