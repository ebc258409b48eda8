"""Training on episodes follows from the recipe alone, member by member, and reads signatures as they were prepared."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import train.loop
from encode.errors import TrainingError
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus, Row
from eval.synthetic.signers import Signer
from train.curve import CURVE
from train.episode_trainer import EpisodeTrainer, embed_by_length, traces_of, train_members, writers_of
from train.episodes import packed
from train.loop import Trained
from train.networks.pen_residual import PenMembers, PenResidualConfig, PenResidualEncoder
from train.recipe import Recipe
from train.strokes import StrokeSet, load_strokes

MakeRecipe = Callable[..., Recipe]
PenTrace = Callable[..., NDArray[np.float64]]
Report = Callable[[int, int, dict[str, float]], None]


class Killed(Exception):
    """Stands for the end of the process."""


def signatures(people: range, recipe: Recipe) -> StrokeSet:
    """Synthetic signers with four genuine signatures in two sessions and two forgeries."""
    rows = []
    for number in people:
        signer, person = Signer.draw(number), f"town-{number % 2}/{number}"
        drawn = {"genuine": signer.genuine(4), "forgery": signer.forgeries(2)}
        for kind, samples in drawn.items():
            for order, sample in enumerate(samples):
                row = Row(
                    id=f"{number}-{kind}-{order}",
                    path=Path("nowhere"),
                    person=person,
                    modality=Modality.SIGNATURE,
                    kind=kind,
                    session=str(order % 2) if kind == "genuine" else None,
                    loader=lambda _, sample=sample: sample,  # type: ignore[misc]
                )
                rows.append(row)
    steps = recipe.steps()
    assert isinstance(steps, StrokePreprocessing)
    return load_strokes(Corpus("town", rows), steps)


@pytest.fixture(scope="module")
def training(make_pen_recipe: MakeRecipe) -> StrokeSet:
    return signatures(range(6), make_pen_recipe())


@pytest.fixture(scope="module")
def background(make_pen_recipe: MakeRecipe) -> StrokeSet:
    return signatures(range(6, 9), make_pen_recipe())


@pytest.fixture(autouse=True)
def _frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.loop, "CHECKPOINT_EVERY", 3)


@pytest.fixture
def run(training: StrokeSet, background: StrokeSet, tmp_path: Path) -> Callable[..., Trained]:
    """``run(recipe, folder, report=…)`` trains all members to the end."""

    def start(recipe: Recipe, folder: str = "run", report: Report = lambda *_: None) -> Trained:
        return train_members(recipe, training, background, tmp_path / folder, report)

    return start


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def whole(
    make_pen_recipe: MakeRecipe,
    training: StrokeSet,
    background: StrokeSet,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Trained, Path]:
    """Two members of four steps, never killed."""
    folder = tmp_path_factory.mktemp("whole")
    return train_members(make_pen_recipe(), training, background, folder, lambda *_: None), folder


@pytest.mark.parametrize(("kill", "begun"), [(2, 1), (5, 5), (8, 8)])
def test_killed_and_resumed_is_as_if_never_killed(
    make_pen_recipe: MakeRecipe,
    run: Callable[..., Trained],
    whole: tuple[Trained, Path],
    tmp_path: Path,
    kill: int,
    begun: int,
) -> None:
    """Within the first member, at the start of the second, and past a checkpoint of the second."""

    def killed(done: int, *_: Any) -> None:
        if done == kill:
            raise Killed

    recipe, (expected, folder) = make_pen_recipe(), whole
    with pytest.raises(Killed):
        run(recipe, report=killed)
    steps: list[tuple[int, int]] = []
    resumed = run(recipe, report=lambda done, total, _: steps.append((done, total)))
    assert steps == [(step, 8) for step in range(begun, 9)]
    assert same(expected.network, resumed.network)
    for name in ("best_eer", "best_frr_at_1", "best_step", "steps"):
        assert getattr(resumed, name) == getattr(expected, name)
    for member in ("member-0", "member-1"):
        assert (tmp_path / "run" / member / CURVE).read_text() == (folder / member / CURVE).read_text()


def test_members_are_runs_of_successive_seeds(
    make_pen_recipe: MakeRecipe,
    whole: tuple[Trained, Path],
    training: StrokeSet,
    background: StrokeSet,
    tmp_path: Path,
) -> None:
    both, folder = whole
    assert isinstance(both.network, PenMembers)
    assert not both.network.training
    lone = [
        EpisodeTrainer(make_pen_recipe(seed=seed), training, background, tmp_path / str(seed)).run() for seed in (0, 1)
    ]
    for member, one in zip(both.network.members, lone, strict=True):
        assert same(member, one.network)
    assert not same(lone[0].network, lone[1].network)
    assert both.steps == 8
    assert both.best_eer == pytest.approx(np.mean([one.best_eer for one in lone]))
    with (folder / "member-1" / CURVE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == {"step", "eer", "frr_at_1", "warping", "embedding", "supcon"}


def test_training_lowers_the_losses(
    make_pen_recipe: MakeRecipe, training: StrokeSet, background: StrokeSet, tmp_path: Path
) -> None:
    seen: list[dict[str, float]] = []
    recipe = make_pen_recipe(20, optimisation={"evaluate_every": 20, "rate": 1e-2})
    EpisodeTrainer(recipe, training, background, tmp_path, lambda _, __, losses: seen.append(losses)).run()
    for name in ("warping", "supcon"):
        early, late = (np.mean([losses[name] for losses in part]) for part in (seen[:5], seen[-5:]))
        assert late < 0.9 * early


def test_a_step_moves_network_and_scales(
    make_pen_recipe: MakeRecipe, training: StrokeSet, background: StrokeSet, tmp_path: Path
) -> None:
    recipe = make_pen_recipe(4, optimisation={"weight_decay": 10.0, "warmup": 0, "rate": 1e-4})
    trainer = EpisodeTrainer(recipe, training, background, tmp_path)
    network, scales = trainer.optimizer.param_groups
    assert (network["weight_decay"], scales["weight_decay"]) == (10.0, 0.0)
    assert {id(value) for value in scales["params"]} == {id(value) for value in trainer.objective.parameters()}
    assert {id(value) for value in network["params"]} == {id(value) for value in trainer.network.parameters()}
    before = {name: value.clone() for name, value in trainer.objective.state_dict().items()}
    trainer._train_step()
    for name, value in trainer.objective.state_dict().items():
        # Adam's first step is the rate, whatever the gradient; decay would have taken a thousandth.
        torch.testing.assert_close((value - before[name]).abs(), torch.full((3,), 1e-4), atol=1e-6, rtol=1e-2)


def test_half_precision_trains_too(
    make_pen_recipe: MakeRecipe, training: StrokeSet, background: StrokeSet, tmp_path: Path
) -> None:
    trainer = EpisodeTrainer(make_pen_recipe(optimisation={"bf16": True}), training, background, tmp_path)
    values = trainer._train_step()
    assert set(values) == {"warping", "embedding", "supcon"}
    assert all(np.isfinite(value) for value in values.values())


def test_a_recipe_without_episodes_is_refused(
    make_signature_recipe: MakeRecipe, training: StrokeSet, background: StrokeSet, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="has no episodes") as caught:
        EpisodeTrainer(make_signature_recipe(), training, background, tmp_path)
    assert caught.value.field == "episodes"


@torch.no_grad()
def test_parts_of_a_batch_give_what_the_whole_gives(pen_trace: PenTrace) -> None:
    torch.manual_seed(0)
    network = PenResidualEncoder(PenResidualConfig(width=8, stem=8, embedding=8, frame=4)).eval()
    frames, lengths = packed([pen_trace(count, count) for count in (33, 90, 50, 21, 77, 42, 61)])
    embeddings, learned = network.embed(frames)
    found: tuple[Tensor, Tensor] = embed_by_length(network, frames, lengths, bf16=False)
    torch.testing.assert_close(found[0], embeddings, atol=2e-6, rtol=0.0)
    torch.testing.assert_close(found[1], learned, atol=1e-5, rtol=0.0)
    rough, _ = embed_by_length(network, frames, lengths, bf16=True)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, embeddings, atol=0.05, rtol=0.0)


def test_traces_are_the_frames_without_padding(training: StrokeSet) -> None:
    traces = traces_of(training)
    assert len(traces) == 6 * 6
    packed_again, lengths = packed(traces)
    plain = training.views[:, 0, :, : packed_again.shape[2]]
    assert torch.equal(packed_again, plain)
    assert torch.equal(lengths, training.views[:, 0, 4].sum(1).long())


def test_writers_have_their_own_rows_and_weights(training: StrokeSet) -> None:
    found = writers_of(training, {"town-1": 0.25})
    assert len(found) == 6
    for person, writer in zip(training.people, found, strict=True):
        number = person.partition("/")[2]
        genuine = [training.ids[row] for row in writer.genuine]
        assert genuine == [f"{number}-genuine-{order}" for order in range(4)]
        assert [training.ids[row] for row in writer.forgeries] == [f"{number}-forgery-{order}" for order in range(2)]
        assert writer.sessions == ("0", "1", "0", "1")
        assert writer.weight == (0.25 if person.startswith("town-1/") else 1.0)
    assert {writer.weight for writer in writers_of(training, {"town": 0.5})} == {0.5}
    assert {writer.weight for writer in writers_of(training, {"tow": 0.5})} == {1.0}
