"""Checkpoints that survive a kill at any moment, read back with weights_only: nothing in them can run."""

import os
from pathlib import Path
from typing import Any

import torch

from encode.errors import TrainingError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside the target, flush to disk, then rename: a reader sees the old state or the new one, never half."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state saved last, or None where there is none. Raises TrainingError for a file that does not load."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError … by kind of damage
        raise TrainingError("the checkpoint does not load", field=path.name, fix="delete it to start anew") from error
    if not isinstance(state, dict):
        raise TrainingError("the file is not a checkpoint", field=path.name, fix="delete it to start anew")
    return state
