"""Distillation: the loss against its loop twin, targets from a file, and a network that follows its teacher."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from encode.errors import TrainingError
from encode.sample import Modality
from eval.files.embedding_file import write_embeddings
from eval.files.embedding_set import EmbeddingSet
from train.loop import Trainer
from train.pixels import PixelSet
from train.recipe import Recipe
from train.run import fit_on
from train.teacher import projected, teacher_loss, teacher_targets

MakeRecipe = Callable[..., Recipe]
TEACHER = {"description": "an encoder of the tests", "weight": 5.0, "relations": 2.0}


def unit(rows: int, size: int, seed: int) -> Tensor:
    drawn = torch.randn(rows, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=1)


def loop_twin(x: Tensor, t: Tensor, relations: float) -> Tensor:
    """The formula, sample by sample and pair by pair."""
    known = [i for i in range(len(t)) if bool(torch.isfinite(t[i]).all())]
    hints = sum(((1 - x[i] @ t[i]) for i in known), torch.zeros((), dtype=x.dtype)) / len(known)
    pairs = [(x[i] @ x[j] - t[i] @ t[j]) ** 2 for i in known for j in known if i != j]
    return hints + relations * torch.stack(pairs).mean()


def table(path: Path, samples: list[str], embeddings: np.ndarray, reasons: dict[int, str] | None = None) -> Path:
    people = [sample.rpartition("/")[0] for sample in samples]
    held = EmbeddingSet(
        samples, people, ["genuine"] * len(samples), Modality.FACE, embeddings.astype(np.float32), reasons or {}
    )
    write_embeddings(held, path)
    return path


def test_the_loss_is_its_twin_with_its_gradient() -> None:
    x, t = unit(9, 6, 0).requires_grad_(), unit(9, 6, 1)
    t[[2, 5]] = torch.nan
    fast, slow = teacher_loss(x, t, 0.7), loop_twin(x, t, 0.7)
    assert torch.allclose(fast, slow, atol=1e-12)
    ours, twin = (torch.autograd.grad(value, x, retain_graph=True)[0] for value in (fast, slow))
    assert torch.allclose(ours, twin, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: teacher_loss(x, t, 0.7), (x,))


def test_a_batch_that_the_teacher_does_not_know_teaches_nothing() -> None:
    x = unit(4, 3, 0).requires_grad_()
    loss = teacher_loss(x, torch.full((4, 3), torch.nan, dtype=torch.float64), 1.0)
    assert loss == 0.0
    assert torch.equal(torch.autograd.grad(loss, x)[0], torch.zeros_like(x))


def test_targets_are_centred_and_keep_the_largest_axes() -> None:
    generator = np.random.default_rng(3)
    long = generator.normal(size=(400, 5)) * [3.0, 2.0, 0.01, 0.01, 0.01] + 7.0
    targets = projected(long, 2)
    centred = long - long.mean(0)
    before = centred @ centred.T / (np.linalg.norm(centred, axis=1)[:, None] * np.linalg.norm(centred, axis=1))
    assert np.allclose(targets @ targets.T, before, atol=0.05)
    assert np.allclose(np.linalg.norm(targets, axis=1), 1.0)


def test_samples_are_found_by_name_and_others_left_open(tmp_path: Path) -> None:
    names = ["a/x/1", "a/x/2", "a/y/1", "b/z/1"]
    given = np.random.default_rng(0).normal(size=(4, 8))
    path = table(tmp_path / "teacher.parquet", names, given, {2: "too dark"})
    targets = teacher_targets(path, ("b/z/1", "a/y/1", "a/x/1", "c/never"), 8)
    assert torch.isfinite(targets).all(1).tolist() == [True, False, True, False]
    assert torch.allclose(targets[0], -targets[2], atol=1e-6)  # two known: centred, they are opposite


@pytest.mark.parametrize(
    ("samples", "size", "says"),
    [(("other/1", "other/2"), 8, "none of the training samples"), (("a/x/1", "a/x/2"), 9, "8 values an embedding")],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, samples: tuple[str, ...], size: int, says: str) -> None:
    path = table(tmp_path / "teacher.parquet", ["a/x/1", "a/x/2"], np.random.default_rng(0).normal(size=(2, 8)))
    with pytest.raises(TrainingError, match=says):
        teacher_targets(path, samples, size)


def test_a_network_comes_to_agree_with_its_teacher(make_recipe: MakeRecipe, training: PixelSet, tmp_path: Path) -> None:
    recipe = make_recipe(
        steps=100,
        teacher=TEACHER,
        losses=[{"kind": "supcon", "weight": 0.01}],
        optimisation={"rate": 1e-2, "warmup": 5},
    )
    taught = Trainer(recipe, training, None, tmp_path / "taught", targets=None)
    size = taught.network(training.plain(torch.arange(2))).shape[1]
    drawn = torch.nn.functional.normalize(torch.randn(len(training.people), size), dim=1)
    seen: list[float] = []
    Trainer(
        recipe,
        training,
        None,
        tmp_path / "run",
        lambda step, steps, losses: seen.append(losses["teacher"]),
        targets=drawn[training.labels],
    ).run()
    assert np.mean(seen[-10:]) < 0.9 * np.mean(seen[:10])


def test_a_run_is_not_continued_with_another_teacher(
    make_recipe: MakeRecipe, training: PixelSet, tmp_path: Path
) -> None:
    recipe = make_recipe(steps=2, teacher=TEACHER)
    targets = unit(len(training.labels), 16, 0).float()
    Trainer(recipe, training, None, tmp_path, targets=targets).run()
    Trainer(recipe, training, None, tmp_path, targets=targets).run()
    with pytest.raises(TrainingError, match="other embeddings of a teacher"):
        Trainer(recipe, training, None, tmp_path, targets=-targets).run()


def test_what_cannot_follow_a_teacher_is_refused(
    make_recipe: MakeRecipe, make_pen_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="of faces"):
        make_pen_recipe(2, teacher=TEACHER)
    with pytest.raises(TrainingError, match="needs the file"):
        fit_on(make_recipe(2, teacher=TEACHER), training, background, tmp_path)
    bounded = make_recipe(2, teacher=TEACHER, network="chopra2005", losses=[{"kind": "chopra2005"}])
    bounded = dataclasses.replace(bounded, network_options={})
    with pytest.raises(TrainingError, match="unit norm"):
        fit_on(bounded, training, background, tmp_path, teacher=tmp_path / "t.npy")
