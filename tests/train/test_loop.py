"""A run follows from its recipe alone: killed and resumed, or done again, it ends in the same weights bit by bit."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import train.loop
from encode.errors import TrainingError
from train.curve import CURVE
from train.development import PairRates
from train.loop import CHECKPOINT, Trained, Trainer
from train.pixels import PixelSet
from train.recipe import Recipe

MakeRecipe = Callable[..., Recipe]
Run = Callable[..., Trained]


class Killed(Exception):
    """Stands for the end of the process."""


def killed_at(step: int) -> Callable[[int, int, dict[str, float]], None]:
    def report(done: int, steps: int, losses: dict[str, float]) -> None:
        if done == step:
            raise Killed

    return report


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(second).values(), strict=True))


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / CURVE).open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def run(training: PixelSet, background: PixelSet, tmp_path: Path) -> Run:
    """``run(recipe, folder, report=…)`` trains to the end."""

    def start(
        recipe: Recipe,
        folder: str = "run",
        report: Callable[[int, int, dict[str, float]], None] = lambda *_: None,
        people: PixelSet = training,
    ) -> Trained:
        return Trainer(recipe, people, background, tmp_path / folder, report).run()

    return start


@pytest.fixture(autouse=True)
def _frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.loop, "CHECKPOINT_EVERY", 3)


RECIPES = {
    "residual": {},
    "pairs": {"losses": [{"kind": "chopra2005"}], "batch": {"pairs": 12}},
    "bf16": {"optimisation": {"bf16": True}},
}


@pytest.mark.parametrize("kill", [2, 3, 7])
@pytest.mark.parametrize("name", RECIPES)
def test_killed_and_resumed_is_as_if_never_killed(
    make_recipe: MakeRecipe, run: Run, tmp_path: Path, name: str, kill: int
) -> None:
    recipe = make_recipe(8, **RECIPES[name])
    whole = run(recipe, "whole")
    with pytest.raises(Killed):
        run(recipe, "killed", killed_at(kill))
    steps: list[int] = []
    resumed = run(recipe, "killed", lambda step, *_: steps.append(step))
    assert steps[0] == (kill - 1) // 3 * 3 + 1
    assert same(whole.network, resumed.network)
    assert (whole.best_step, whole.best_eer, whole.steps) == (resumed.best_step, resumed.best_eer, resumed.steps)
    assert curve(tmp_path / "whole") == curve(tmp_path / "killed")


def test_a_finished_run_is_only_reloaded(make_recipe: MakeRecipe, run: Run) -> None:
    first = run(make_recipe(4))
    steps: list[int] = []
    again = run(make_recipe(4), report=lambda step, *_: steps.append(step))
    assert steps == []
    assert same(first.network, again.network)
    assert (again.best_step, again.best_eer, again.steps) == (first.best_step, first.best_eer, 4)


def test_the_seed_decides_the_weights(make_recipe: MakeRecipe, run: Run) -> None:
    first, second, other = run(make_recipe(3), "a"), run(make_recipe(3), "b"), run(make_recipe(3, seed=1), "c")
    assert same(first.network, second.network)
    assert not same(first.network, other.network)


def test_training_lowers_the_losses(make_recipe: MakeRecipe, run: Run) -> None:
    seen: list[dict[str, float]] = []
    plan = {"evaluate_every": 40, "rate": 1e-2}
    run(make_recipe(40, optimisation=plan), report=lambda step, steps, losses: seen.append(losses))
    assert set(seen[0]) == {"hadsell2006", "supcon", "cosface"}
    for name in ("hadsell2006", "supcon"):
        early, late = (sum(losses[name] for losses in part) for part in (seen[:8], seen[-8:]))
        assert late < 0.95 * early


def test_steps_are_reported_and_evaluations_written(make_recipe: MakeRecipe, run: Run, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    trained = run(make_recipe(5), report=lambda step, total, _: steps.append((step, total)))
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    rows = curve(tmp_path / "run")
    assert [row["step"] for row in rows] == ["2", "4", "5"]
    assert set(rows[0]) == {"step", "eer", "frr_at_1", "hadsell2006", "supcon", "cosface"}
    assert trained.best_eer == pytest.approx(min(float(row["eer"]) for row in rows), rel=1e-4)
    assert trained.steps == 5


def planned(monkeypatch: pytest.MonkeyPatch, eers: list[float]) -> None:
    """Let the development figure be what the test says, one value an evaluation."""
    left = iter(eers)
    monkeypatch.setattr(train.loop, "development_rates", lambda *_, **__: PairRates(next(left), 0.5))


def test_the_run_stops_when_nothing_gets_better(
    make_recipe: MakeRecipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(monkeypatch, [0.4, 0.2, 0.3, 0.2, 0.25, 0.1, 0.1])
    trained = run(make_recipe(40, optimisation={"patience": 3}))
    assert (trained.best_step, trained.best_eer, trained.steps) == (4, 0.2, 10)
    steps: list[int] = []
    again = run(make_recipe(40, optimisation={"patience": 3}), report=lambda step, *_: steps.append(step))
    assert (again.best_step, again.steps, steps) == (4, 10, [])


def test_the_best_weights_are_returned_not_the_last(
    make_recipe: MakeRecipe,
    run: Run,
    training: PixelSet,
    background: PixelSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned(monkeypatch, [0.1, 0.4])
    best = run(make_recipe(4))
    assert best.best_step == 2
    by_hand = Trainer(make_recipe(4), training, background, tmp_path / "by hand")
    for _ in range(2):
        by_hand._train_step()
        by_hand.step += 1
    assert same(best.network, by_hand.average)


def test_an_early_stop_is_kept_by_a_resumed_run(
    make_recipe: MakeRecipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(monkeypatch, [0.2, 0.3, 0.4])
    first = run(make_recipe(40, optimisation={"patience": 2}))
    planned(monkeypatch, [0.5] * 9)
    again = run(make_recipe(40, optimisation={"patience": 2}))
    assert first.steps == again.steps == 6
    assert same(first.network, again.network)


def test_another_recipes_checkpoint_is_refused(make_recipe: MakeRecipe, run: Run) -> None:
    run(make_recipe(3))
    for recipe in (make_recipe(4), make_recipe(3, seed=1), make_recipe(3, name="other")):
        with pytest.raises(TrainingError, match=r"another recipe .*another folder or delete it") as caught:
            run(recipe)
        assert caught.value.field == "out"


def test_a_checkpoint_of_other_people_is_refused(make_recipe: MakeRecipe, run: Run, training: PixelSet) -> None:
    """Labels are places in a list of people: continued on another list they would mean somebody else."""
    run(make_recipe(3))
    renamed = replace(training, people=tuple(f"q{person}" for person in training.people))
    with pytest.raises(TrainingError, match="learned from other people"):
        run(make_recipe(3), people=renamed)


def test_a_damaged_checkpoint_is_refused(make_recipe: MakeRecipe, run: Run, tmp_path: Path) -> None:
    run(make_recipe(3))
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TrainingError, match="does not load"):
        run(make_recipe(3))
    torch.save({"something": "else"}, path)
    with pytest.raises(TrainingError, match="another recipe"):
        run(make_recipe(3))


@pytest.mark.parametrize(
    "left", ["", "step,eer", "step,eer,frr_at_1,hadsell2006,supcon,cosface\n2,0.5,0.5,1,1,1\n3,0."]
)
def test_a_curve_cut_short_by_a_kill_is_mended(make_recipe: MakeRecipe, run: Run, tmp_path: Path, left: str) -> None:
    with pytest.raises(Killed):
        run(make_recipe(8), report=killed_at(5))
    (tmp_path / "run" / CURVE).write_text(left)
    run(make_recipe(8))
    assert [row["step"] for row in curve(tmp_path / "run")][-3:] == ["4", "6", "8"]


def test_a_curve_without_a_checkpoint_is_begun_anew(make_recipe: MakeRecipe, run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CURVE).write_text("from,another,run\n1,2,3\n")
    run(make_recipe(2))
    assert [row["step"] for row in curve(tmp_path / "run")] == ["2"]


def test_nobody_may_be_on_both_sides(make_recipe: MakeRecipe, training: PixelSet, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="must be disjoint"):
        Trainer(make_recipe(), training, training, tmp_path)


def test_without_background_people_the_last_weights_count(
    make_recipe: MakeRecipe, training: PixelSet, tmp_path: Path
) -> None:
    trainer = Trainer(make_recipe(5, optimisation={"patience": 1}), training, None, tmp_path)
    trained = trainer.run()
    assert (trained.best_step, trained.steps) == (5, 5)
    assert math.isnan(trained.best_eer)
    again = Trainer(make_recipe(5, optimisation={"patience": 1}), training, None, tmp_path).run()
    assert same(trained.network, again.network)


def test_a_loss_that_is_not_finite_ends_the_run(
    make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    trainer = Trainer(make_recipe(), training, background, tmp_path)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    with pytest.raises(TrainingError, match=r"not finite at step 0 .*lower the rate"):
        trainer.run()


def test_the_average_follows_the_weights(
    make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    """avg ← d·avg + (1 − d)·w with d = min(ema, (1 + step)/(10 + step)), norms' running figures included."""
    trainer = Trainer(make_recipe(10, optimisation={"ema": 0.3}), training, background, tmp_path)
    expected = {name: value.double() for name, value in weights(trainer.average).items()}
    for step in range(6):
        trainer._train_step()
        decay = min(0.3, (1 + step) / (10 + step))
        for name, value in trainer.network.state_dict().items():
            whole = not value.dtype.is_floating_point
            expected[name] = value.double() if whole else decay * expected[name] + (1 - decay) * value.double()
        trainer.step += 1
    for name, value in trainer.average.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-5, rtol=1e-5)


def test_the_rate_warms_up_and_falls_to_zero(
    make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    recipe = make_recipe(10, optimisation={"warmup": 4, "rate": 0.01})
    trainer = Trainer(recipe, training, background, tmp_path)
    rates = []
    for _ in range(10):
        trainer._train_step()
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.step += 1
    expected = [0.0025, 0.005, 0.0075, 0.01] + [0.005 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert rates == pytest.approx(expected)


def test_the_rate_may_stay_where_the_warm_up_ends(
    make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    recipe = make_recipe(8, optimisation={"warmup": 4, "rate": 0.01, "schedule": "constant"})
    trainer = Trainer(recipe, training, background, tmp_path)
    rates = []
    for _ in range(8):
        trainer._train_step()
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.step += 1
    assert rates == pytest.approx([0.0025, 0.005, 0.0075] + [0.01] * 5)
