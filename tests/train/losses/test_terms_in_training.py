"""Every kind of loss, with every miner and memory, trains from a recipe; a killed run goes on as if never killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import train.loop
from train.loop import Trained, Trainer
from train.loss_term import KINDS
from train.pixels import PixelSet
from train.recipe import Recipe

MakeRecipe = Callable[..., Recipe]
TERMS: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in KINDS} | {
    "triplet, hardest": {"kind": "triplet", "miner": "hardest"},
    "triplet, distance weighted": {"kind": "triplet", "miner": "distance_weighted", "distance": "euclidean"},
    "hadsell2006, semi-hard": {"kind": "hadsell2006", "miner": "semihard", "form": "hinge_of_square"},
    "supcon, in": {"kind": "supcon", "form": "in"},
}
QUEUES: dict[str, dict[str, Any]] = {
    "past": {"kind": "infonce", "queue": 20},
    "average": {"kind": "supcon", "queue": 20, "keys": "average", "queue_after": 0.3},
    "distance weighted": {"kind": "triplet", "miner": "distance_weighted"},
    "constant": {"kind": "nce"},
}


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def run(
    training: PixelSet, background: PixelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setattr(train.loop, "CHECKPOINT_EVERY", 2)

    def start(recipe: Recipe, folder: str, report: Callable[..., None] = lambda *_: None) -> Trained:
        return Trainer(recipe, training, background, tmp_path / folder, report).run()

    return start


@pytest.mark.parametrize("name", TERMS)
def test_every_kind_trains_from_a_recipe(make_recipe: MakeRecipe, run: Callable[..., Trained], name: str) -> None:
    seen: list[dict[str, float]] = []
    run(make_recipe(2, losses=[TERMS[name]]), "run", lambda step, steps, losses: seen.append(losses))
    assert [set(losses) for losses in seen] == [{TERMS[name]["kind"]}] * 2


@pytest.mark.parametrize("name", QUEUES)
def test_queues_and_draws_are_resumed(make_recipe: MakeRecipe, run: Callable[..., Trained], name: str) -> None:
    recipe = make_recipe(4, losses=[QUEUES[name]], batch={"people": 3, "samples": 2})

    def killed_at_3(step: int, *_: object) -> None:
        if step == 3:
            raise Killed

    whole = run(recipe, "whole")
    with pytest.raises(Killed):
        run(recipe, "killed", killed_at_3)
    resumed = run(recipe, "killed")
    for first, second in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    assert whole.best_eer == resumed.best_eer
