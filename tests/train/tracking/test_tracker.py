"""What leaves for a tracking server, and what never does."""

import importlib.util
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import train.tracking.tracker as module
from encode.errors import TrainingError
from train.pixels import PixelSet
from train.recipe import Recipe
from train.run import fit_on
from train.tracking.tracker import Followed, following, settings_of

MakeRecipe = Callable[..., Recipe]


class Heard:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.found: list[tuple[int, dict[str, float]]] = []
        self.closed = 0

    def settings(self, values: Mapping[str, str]) -> None:
        self.said |= values

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.found.append((step, dict(values)))

    def close(self) -> None:
        self.closed += 1


def test_a_run_tells_losses_and_development_figures(
    make_recipe: MakeRecipe, training: PixelSet, background: PixelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 3)
    heard = Heard()
    fit_on(make_recipe(4), training, background, tmp_path, followed=Followed(heard))
    assert [step for step, _ in heard.found] == [3, 4, 2, 4]
    assert set(heard.found[0][1]) == {"loss/hadsell2006", "loss/supcon", "loss/cosface"}
    assert set(heard.found[-1][1]) == {"background/eer", "background/frr_at_1"}


def test_nobody_is_named(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(
        4,
        hold_out={"secret_clinic": 0.5},
        split={"policy_of": {"secret_clinic": 2}},
        batch={"people": 4, "samples": 2, "shares": {"secret_clinic": 0.5}},
        teacher={"description": "secret_clinic's own encoder"},
    )
    said = settings_of(recipe)
    assert said["optimisation.steps"] == "4"
    assert said["batch.people"] == "4"
    assert "secret_clinic" not in repr(said)


def test_a_tracker_is_closed_when_the_run_fails(make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    monkeypatch.setattr(module, "open_tracker", lambda where, name: heard)
    with pytest.raises(TrainingError), following("somewhere", "run", make_recipe(4)):
        raise TrainingError("lost")
    assert heard.closed == 1


@pytest.mark.parametrize("where", ["tensorboard:", "wandb:x", "tensorboard", ""])
def test_an_unknown_place_is_refused(where: str, make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="is no place to track at"), following(where, "run", make_recipe(4)):
        pass


def test_a_missing_package_is_named_with_its_extra(make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(place: str, name: str) -> module.Tracker:
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")

    monkeypatch.setattr(module, "_KINDS", {"mlflow": missing})
    with (
        pytest.raises(TrainingError, match=r"package mlflow.*countersign\[mlflow\]"),
        following("mlflow:http://x", "run", make_recipe(4)),
    ):
        pass


def test_tensorboard_event_files_hold_the_scalars(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    with following(f"tensorboard:{tmp_path}", "face-0", make_recipe(4)) as followed:
        for step in range(1, 22):
            followed.step(step, 21, {"supcon": 1.0 / step, "broken": float("nan")})
    (file,) = (tmp_path / "face-0").iterdir()
    raw, events, at = file.read_bytes(), [], 0
    while at < len(raw):  # a length of eight bytes and its checksum of four, then the record and its checksum
        (length,) = struct.unpack("<Q", raw[at : at + 8])
        events.append(Event.FromString(raw[at + 12 : at + 12 + length]))
        at += 12 + length + 4
    found = {
        (event.step, value.tag): value.simple_value
        for event in events
        for value in event.summary.value
        if value.tag.startswith("loss/")
    }
    assert found == {(step, "loss/supcon"): pytest.approx(1.0 / step) for step in (10, 20, 21)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="the extra mlflow is not installed")
def test_mlflow_stores_the_metrics(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with following(f"mlflow:{uri}", "face-0", make_recipe(4)) as followed:
        followed.step(10, 20, {"supcon": 0.5})
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("countersign")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == {"loss/supcon": 0.5}
    assert run.data.params["optimisation.steps"] == "4"
