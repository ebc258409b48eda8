"""Finished tasks on disk, so that a run that was interrupted goes on where it stopped.

    OUT/parts/inputs.json       digest of everything that decides a score or a count
    OUT/parts/group-0003.part   SHA-256 of what follows, then one sketch as arrays

A part is written beside its place and moved there in one step: it is whole or absent. One whose checksum does not agree
is worked out again. Parts of other inputs are refused, never mixed in.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from encode.errors import ConfigError, TrialsError
from encode.manifest import canonical_json
from eval.allpairs.ragged import Ragged
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.tail import Tail
from eval.allpairs.task import Work

PARTS, INPUTS = "parts", "inputs.json"

_VERSION = 1
_CHECKSUM = 32
_ARRAYS = ("groups", "counts", "acting", "failed")
_TAILS = ("highest", "lowest")


class Parts:
    """The finished tasks of one run in a folder.

    Raises TrialsError if the folder holds parts of other inputs, ConfigError if it cannot be used.
    """

    def __init__(self, out: Path, work: Work) -> None:
        self.folder = out / PARTS
        digest = work_digest(work)
        noted = self.folder / INPUTS
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not noted.exists():
                _write(noted, json.dumps({"digest": digest}).encode())
            found = noted.read_bytes()
        except OSError as error:
            raise ConfigError(f"the parts of the run cannot be kept: {error.strerror}", field="out") from error
        if found != json.dumps({"digest": digest}).encode():
            raise TrialsError(
                f"{self.folder} holds parts of a run with other embeddings, bundle or options",
                field="out",
                fix="repeat that run as it was, remove the folder, or choose another --out",
            )

    def finished(self) -> Iterator[ScoreSketch]:
        """The sketches of finished tasks; parts that are damaged are passed over."""
        for path in sorted(self.folder.glob("group-*.part")):
            data = path.read_bytes()
            if hashlib.sha256(data[_CHECKSUM:]).digest() == data[:_CHECKSUM]:
                yield _from_bytes(data[_CHECKSUM:])

    def write(self, sketch: ScoreSketch) -> None:
        """Keep the sketch of one task. Raises ConfigError if it cannot be written."""
        data = _to_bytes(sketch)
        try:
            _write(self.folder / f"group-{int(sketch.groups[0]):04}.part", hashlib.sha256(data).digest() + data)
        except OSError as error:
            raise ConfigError(f"a part of the run cannot be kept: {error.strerror}", field="out") from error

    def remove(self) -> None:
        """Remove all parts: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def work_digest(work: Work) -> str:
    """SHA-256 over all arrays and settings of a run, 64 hex digits."""
    state = hashlib.sha256(canonical_json({"version": _VERSION}))
    for field in fields(Work):
        value = getattr(work, field.name)
        state.update(field.name.encode())
        arrays: tuple[object, ...] = (value.offsets, value.values) if isinstance(value, Ragged) else (value,)
        if field.name == "model":
            settings = None if value is None else value.spec.model_dump(mode="json")
            state.update(canonical_json(settings))
            arrays = () if value is None else (value.background.mean, value.background.factor, value.within)
        for array in arrays:
            if isinstance(array, np.ndarray):
                state.update(f"{array.dtype}{array.shape}".encode())
                state.update(np.ascontiguousarray(array).data)
            else:
                state.update(repr(array).encode())
    return state.hexdigest()


def _write(path: Path, data: bytes) -> None:
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_bytes(data)
    beside.replace(path)


def _to_bytes(sketch: ScoreSketch) -> bytes:
    arrays = {name: getattr(sketch, name) for name in _ARRAYS}
    for name in _TAILS:
        tail: Tail = getattr(sketch, name)
        arrays |= {name: tail.values, f"{name}_cut": np.float64(tail.cut), f"{name}_limit": np.int64(tail.limit)}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _from_bytes(data: bytes) -> ScoreSketch:
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        tails = [Tail(held[name], float(held[f"{name}_cut"]), int(held[f"{name}_limit"])) for name in _TAILS]
        return ScoreSketch(**{name: held[name] for name in _ARRAYS}, highest=tails[0], lowest=tails[1])
