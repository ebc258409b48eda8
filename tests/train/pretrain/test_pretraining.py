"""Pre-training without labels: its weights go on, a kill changes nothing, and nobody kept out of training is seen."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import train.loop
from encode.errors import TrainingError
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus
from train.build import build_network
from train.pen_set import PenSet
from train.people_split import Role
from train.pixels import PixelSet
from train.pool import open_pool
from train.pretrain.trainer import FOLDER, AnySampler, Projected, pretrained
from train.pretrain.unlabelled import unlabelled, unlabelled_corpus
from train.recipe import Recipe
from train.run import fit_on, load_unlabelled
from train.strokes import load_strokes

MakeRecipe = Callable[..., Recipe]
PRETRAIN = {"steps": 6, "samples": 8, "hidden": 8, "size": 4, "warmup": 2}


class Killed(Exception):
    """Stands for the end of the process."""


def same(first: Any, second: Any) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe(4, losses=[{"kind": "supcon"}], pretrain=PRETRAIN)


def test_the_same_seed_gives_the_same_weights_and_a_kill_changes_nothing(
    recipe: Recipe, training: PixelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train.loop, "CHECKPOINT_EVERY", 2)
    samples = unlabelled(training, recipe.network)

    def kill(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 5:
            raise Killed

    whole = pretrained(recipe, samples, tmp_path / "whole")
    with pytest.raises(Killed):
        pretrained(recipe, samples, tmp_path / "killed", kill)
    assert same(whole, pretrained(recipe, samples, tmp_path / "killed"))
    curves = [(tmp_path / name / FOLDER / "curve.csv").read_bytes() for name in ("whole", "killed")]
    assert curves[0] == curves[1]
    assert not same(whole, pretrained(dataclasses.replace(recipe, seed=1), samples, tmp_path / "other"))
    assert not same(whole, build_network(recipe).state_dict())


def test_who_is_on_a_picture_makes_no_difference(recipe: Recipe, training: PixelSet, tmp_path: Path) -> None:
    mixed = dataclasses.replace(training, labels=training.labels.flip(0))
    first, second = (
        pretrained(recipe, unlabelled(people, recipe.network), tmp_path / name)
        for name, people in (("as it is", training), ("mixed", mixed))
    )
    assert same(first, second)


def test_two_views_are_drawn_apart_and_pull_together(recipe: Recipe, training: PixelSet, tmp_path: Path) -> None:
    losses: list[float] = []
    longer = dataclasses.replace(recipe, pretrain=dataclasses.replace(recipe.pretrain, steps=60, rate=1e-2))
    pretrained(
        longer,
        unlabelled(training, recipe.network),
        tmp_path,
        lambda step, steps, values: losses.append(values["ntxent"]),
    )
    assert np.mean(losses[-20:]) < 0.95 * np.mean(losses[:10])


def test_supervised_training_begins_from_the_weights(
    recipe: Recipe, training: PixelSet, background: PixelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, torch.Tensor]] = []

    class Watched(train.loop.Trainer):
        def run(self) -> train.loop.Trained:
            begun.append({name: value.detach().clone() for name, value in self.network.named_parameters()})
            return super().run()

    monkeypatch.setattr("train.run.Trainer", Watched)
    stages: list[str] = []
    trained = fit_on(recipe, training, background, tmp_path, progress=lambda stage, done, total: stages.append(stage))
    expected = pretrained(recipe, unlabelled(training, recipe.network), tmp_path)
    assert same(begun[0], expected)
    assert stages == ["pretrain"] * 6 + ["train"] * 4
    plain = fit_on(dataclasses.replace(recipe, pretrain=None), training, background, tmp_path / "plain")
    assert not same(trained.network.state_dict(), plain.network.state_dict())


def test_the_head_is_no_part_of_what_goes_on(recipe: Recipe, training: PixelSet, tmp_path: Path) -> None:
    assert recipe.pretrain is not None
    assert set(pretrained(recipe, unlabelled(training, recipe.network), tmp_path)) == set(
        build_network(recipe).state_dict()
    )
    head = Projected(16, recipe.pretrain).head
    assert [tuple(value.shape) for value in head.parameters()] == [(8, 16), (8,), (4, 8)]


def test_batches_follow_from_seed_and_step() -> None:
    sampler = AnySampler(10, 4, seed=1)
    assert torch.equal(sampler.batch(3), AnySampler(10, 4, seed=1).batch(3))
    assert not torch.equal(sampler.batch(3), sampler.batch(4))
    assert len(set(AnySampler(3, 8, seed=0).batch(0).tolist())) == 3


def test_a_signature_goes_on_as_another_go_of_one_hand(
    make_pen_recipe: MakeRecipe, make_signers: Callable[..., Corpus], tmp_path: Path
) -> None:
    recipe = make_pen_recipe(2, members=1, pretrain=PRETRAIN | {"steps": 2})
    steps = recipe.steps()
    assert isinstance(steps, StrokePreprocessing)
    corpus = make_signers("pens", [f"w{number}" for number in range(4)], genuine=3, forgeries=1)
    alone = unlabelled(load_strokes(corpus, steps), recipe.network)
    assert isinstance(alone, PenSet)
    assert not alone.forged.any()
    assert alone.labels.tolist() == list(range(16))
    assert set(pretrained(recipe, alone, tmp_path)) == set(build_network(recipe).state_dict())


def test_nobody_who_is_kept_out_of_training_is_learned_from(
    recipe: Recipe, write_faces: Callable[..., Path], named: Callable[..., list[str]], tmp_path: Path
) -> None:
    write_faces(tmp_path / "crowd", named("crowd", training=4, background=2, policy=2), samples=2)
    write_faces(tmp_path / "extra", ["one", "two"], samples=1)
    spec, extra = f"folder:{tmp_path / 'crowd'}", f"folder:{tmp_path / 'extra'}"
    pool = open_pool([spec])
    found = unlabelled_corpus([spec, extra], pool)
    assert set(found.people) == {*pool.people[Role.TRAINING], "extra/one", "extra/two"}
    further = load_unlabelled([extra], pool, recipe)
    assert isinstance(further, PixelSet)
    assert len(further.labels) == 4 * 2 + 2
    beside = open_pool([spec], [extra])  # as a cohort they set thresholds
    with pytest.raises(TrainingError, match="no face to learn from"):
        unlabelled_corpus([extra], beside)
    assert load_unlabelled([], pool, recipe) is None
    with pytest.raises(TrainingError, match="does not pre-train"):
        load_unlabelled([extra], pool, dataclasses.replace(recipe, pretrain=None))
