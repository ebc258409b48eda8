"""A checkpoint is the state saved last or none; anything else in its place is refused, and nothing in it is run."""

import pickle
from pathlib import Path

import pytest
import torch

from encode.errors import TrainingError
from train.checkpoint import load_checkpoint, save_checkpoint

STATE = {"step": 7, "weights": {"a": torch.arange(3.0)}, "best": {"eer": 0.25, "weights": None}}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", STATE)
    found = load_checkpoint(tmp_path / "c.pt")
    assert found is not None
    assert (found["step"], found["best"]) == (7, STATE["best"])
    assert torch.equal(found["weights"]["a"], torch.arange(3.0))
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_nothing_saved_is_nothing_loaded(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "c.pt") is None


def test_a_write_cut_short_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "c.pt", STATE)

    def cut_short(state: object, stream: object) -> None:
        stream.write(b"half of a new ")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "c.pt", STATE | {"step": 8})
    monkeypatch.undo()
    found = load_checkpoint(tmp_path / "c.pt")
    assert found is not None
    assert found["step"] == 7
    save_checkpoint(tmp_path / "c.pt", STATE | {"step": 9})
    assert (load_checkpoint(tmp_path / "c.pt") or {})["step"] == 9


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


DAMAGE = {
    "empty": lambda data: b"",
    "text": lambda data: b"not a checkpoint",
    "first half": lambda data: data[: len(data) // 2],
    "last half": lambda data: data[len(data) // 2 :],
    "a pickle": lambda data: pickle.dumps(Hostile()),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    with pytest.raises(TrainingError, match=r"does not load .*delete it to start anew") as caught:
        load_checkpoint(path)
    assert caught.value.field == "checkpoint.pt"
    assert capsys.readouterr().out == ""


def test_code_inside_a_checkpoint_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"step": Hostile()}, tmp_path / "c.pt")
    with pytest.raises(TrainingError, match="does not load"):
        load_checkpoint(tmp_path / "c.pt")
    assert capsys.readouterr().out == ""


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "c.pt")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "c.pt")
