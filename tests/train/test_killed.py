"""A run that is killed, at any moment and as often as may be, ends as one that was never disturbed.

The runs are processes forked from one that has read everything; a kill is SIGKILL, which nothing can answer.
"""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from train.pixels import PixelSet

RECIPE = {
    "name": "tiny",
    "network": "residual",
    "margin": [4, 3],
    "preprocessing": [
        {"step": "colour", "mode": "L"},
        {"step": "resize", "height": 32, "width": 24, "filter": "bilinear"},
        {"step": "scale", "per_image": True},
    ],
    "losses": [{"kind": "supcon"}, {"kind": "cosface"}],
    "network_options": {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding": 16, "dropout": 0.1},
    "batch": {"people": 4, "samples": 3},
    "optimisation": {"steps": 10, "warmup": 2, "evaluate_every": 2, "bf16": False, "ema": 0.9},
}

PROGRAM = """
import csv, io, json, os, random, signal, sys, time
from pathlib import Path

import torch

import train.checkpoint, train.loop
from encode.preprocessing import Scale
from train.loop import Trainer
from train.pixels import PixelSet
from train.recipe import parse_recipe

torch.set_num_threads(1)
folder = Path(sys.argv[1])
recipe = parse_recipe(json.loads((folder / "recipe.json").read_text()))
held = torch.load(folder / "people.pt", weights_only=True)
training, background = (
    PixelSet(**{**values, "margin": tuple(values["margin"]), "people": tuple(values["people"]),
                "corpus_of": tuple(values["corpus_of"]), "scale": recipe.steps().scale}) for values in held
)
train.loop.CHECKPOINT_EVERY = 3


def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_checkpoint(state, stream):
    whole = io.BytesIO()
    save(state, whole)
    stream.write(whole.getvalue()[: len(whole.getvalue()) // 2])
    stream.flush()
    end()


def half_a_row(self, row):
    with (folder / "killed" / "curve.csv").open("a") as stream:
        stream.write(f"{row['step']},0.2")
    end()


def no_room_after(count):
    def replace(self, target):
        nonlocal count
        count -= 1
        return end() if count < 0 else rename(self, target)

    return replace


save, rename = torch.save, Path.replace
MOMENTS = {
    "in the first step": (train.loop.Trainer, "_train_step", end),
    "while the checkpoint is written": (train.checkpoint.torch, "save", half_a_checkpoint),
    "before the checkpoint is in place": (Path, "replace", no_room_after(1)),
    "while a row of the curve is written": (csv.DictWriter, "writerow", half_a_row),
    "in a later evaluation": (train.loop, "development_rates", end),
}


def run(name, moment=None):
    if moment:
        setattr(*MOMENTS[moment])
    trained = Trainer(recipe, training, background, folder / name).run()
    save(trained.network.state_dict(), folder / name / "weights.pt")


def child(name, moment=None, seconds=None):
    pid = os.fork()
    if pid == 0:
        run(name, moment)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


started = time.monotonic()
ends = {"whole": child("whole"), "again": child("again")}
lasted = (time.monotonic() - started) / 2
for moment in MOMENTS:
    ends[moment] = child("killed", moment)
draw = random.Random(0)
for number in range(3):
    child("killed", seconds=draw.uniform(0.0, lasted / 2))
ends["killed"] = child("killed")
print(json.dumps(ends))
"""


RUNS = ("whole", "again", "killed")


def as_tensors(people: PixelSet) -> dict[str, object]:
    return {
        "pixels": people.pixels,
        "labels": people.labels,
        "people": list(people.people),
        "corpus_of": list(people.corpus_of),
        "margin": list(people.margin),
        "unusable": 0,
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_killed_at_any_moment_it_ends_the_same(training: PixelSet, background: PixelSet, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    torch.save([as_tensors(training), as_tensors(background)], tmp_path / "people.pt")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert result.returncode == 0, result.stderr
    ends = json.loads(result.stdout)
    assert {name: ends.pop(name) for name in RUNS} == dict.fromkeys(RUNS, 0)
    assert set(ends.values()) == {-signal.SIGKILL}
    assert len(ends) == 5
    whole, again, killed = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in RUNS)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    curves = [(tmp_path / name / "curve.csv").read_bytes() for name in RUNS]
    assert curves[0] == curves[1] == curves[2]
    with (tmp_path / "killed" / "curve.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4", "6", "8", "10"]
