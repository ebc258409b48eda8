"""The folder of one run: what was asked of it, its checkpoint and curve, what it consumed, and what came out.

plan.json         digest of recipe, seed and training people: a folder of another plan is cleared, not continued
consumed.json     processor seconds of training so far, over all the processes that have worked on it
result.json       `train.compare.results.RunResult`, written last: a run is finished when it is there
replicates.npz    float64 arrays behind the intervals, by measure and kind of impostor
checkpoint.pt, curve.csv, bundle/
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrainingError
from eval.trials import TrialKind
from train.compare.measures import Measured
from train.compare.results import RUN_RESULT, RunResult

PLAN = "plan.json"
CONSUMED = "consumed.json"
REPLICATES = "replicates.npz"

Replicates = Mapping[tuple[str, TrialKind], NDArray[np.float64]]


class RunFolder:
    """Reads and writes the folder of a run; nothing is there before :meth:`begin`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def result(self, training: str, measures: str) -> RunResult | None:
        """What came out, if the run is finished and was of these digests."""
        file = self.path / RUN_RESULT
        if not file.is_file() or not (self.path / REPLICATES).is_file():
            return None
        try:
            found = RunResult.model_validate_json(file.read_bytes())
        except ValueError:  # cut short, or of another version: the run is measured again
            return None
        return found if (found.training_digest, found.measures_digest) == (training, measures) else None

    def begin(self, training: str) -> None:
        """Make the folder, or clear it if what is in it belongs to another plan.

        Raises TrainingError where the folder holds something that no comparison wrote.
        """
        plan = self.path / PLAN
        if plan.is_file():
            if _read(plan).get("training_digest") == training:
                return
            _write(plan, {})  # nobody's, and still a comparison's should the clearing be cut short
            self._clear()
        elif self.path.is_dir() and {path.name for path in self.path.iterdir()} - {_beside(plan).name}:
            raise TrainingError(f"{self.path} holds files of something else", field="out", fix="name another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        _write(plan, {"training_digest": training})

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != PLAN:
                path.unlink()

    def finish(self, result: RunResult, measured: list[Measured]) -> None:
        """Write what came out; result.json last."""
        arrays = {
            f"{one.measure.name}|{kind.value}": values for one in measured for kind, values in one.replicates.items()
        }
        # A result of other measures must not stand beside replicates of these, nor beside half of them.
        (self.path / RUN_RESULT).unlink(missing_ok=True)
        with (self.path / REPLICATES).open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)
        _write_text(self.path / RUN_RESULT, result.model_dump_json(indent=2, exclude_none=True) + "\n")

    def replicates(self) -> Replicates:
        """By measure and kind of impostor, as `train.compare.measures.Measured` has them."""
        with np.load(self.path / REPLICATES, allow_pickle=False) as held:
            found = {}
            for key in held.files:
                name, _, kind = key.rpartition("|")
                found[name, TrialKind(kind)] = held[key]
            return found


class Consumption:
    """Processor seconds spent on a run, kept in its folder so that a kill loses a few steps' worth at most."""

    every = 50

    def __init__(self, folder: RunFolder) -> None:
        self._file = folder.path / CONSUMED
        self._before = float(_read(self._file).get("cpu_seconds", 0.0)) if self._file.is_file() else 0.0
        self._started = time.process_time()

    @property
    def seconds(self) -> float:
        """Of this process and those before it."""
        return self._before + time.process_time() - self._started

    def step(self, done: int, total: int) -> None:
        """Told after every step."""
        if done % self.every == 0 or done == total:
            _write(self._file, {"cpu_seconds": self.seconds})


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, values: Mapping[str, object]) -> None:
    _write_text(file, json.dumps(values) + "\n")


def _write_text(file: Path, text: str) -> None:
    """Beside the target, then renamed: a kill leaves the old file or the new one."""
    beside = _beside(file)
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, file)


def _beside(file: Path) -> Path:
    return file.with_suffix(".tmp")
