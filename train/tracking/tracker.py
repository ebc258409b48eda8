"""Following runs elsewhere: TensorBoard event files or an MLflow server, by the option `--track`.

    tensorboard:DIR      event files in DIR/<run>        (the extra `tensorboard`)
    mlflow:URI           a run in the experiment `countersign` of that tracking store     (the extra `mlflow`)

What is sent: the recipe's settings, losses by step, development figures by evaluation. No name of a person, corpus,
file or folder, no sample and no embedding is among them.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from encode.errors import TrainingError
from train.curve import CURVE
from train.recipe import Recipe

EVERY = 10
"""Steps between two that are sent."""

_PRIVATE = ("hold_out", "shares", "policy_of", "description")
"""Settings that name corpora or whose embeddings were learned from."""


class Tracker(Protocol):
    """One run, somewhere else."""

    def settings(self, values: Mapping[str, str]) -> None:
        """What the run is of; once, at its beginning."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Finite values at a step."""

    def close(self) -> None:
        """Send what is not sent yet, and say that the run is over."""


class Unfollowed:
    """Sends nothing."""

    def settings(self, values: Mapping[str, str]) -> None:
        """Nothing."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Followed:
    """What a training run tells a tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def step(self, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Told after every step; sends some of them."""
        if done % EVERY == 0 or done == total:
            self._send(done, {f"loss/{name}": value for name, value in losses.items()})

    def curve(self, folder: Path) -> None:
        """Send the development figures of a finished run's curve."""
        file = folder / CURVE
        if not file.is_file():
            return
        with file.open(newline="") as stream:
            for row in csv.DictReader(stream):
                figures = {f"background/{key}": float(row[key]) for key in ("eer", "frr_at_1")}
                self._send(int(row["step"]), figures)

    def _send(self, step: int, values: Mapping[str, float]) -> None:
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        if finite:
            self._tracker.scalars(step, finite)


@contextmanager
def following(where: str | None, name: str, recipe: Recipe) -> Iterator[Followed]:
    """Follow the run `name` at `where`, nowhere for None.

    Raises TrainingError for a place that is none of those above, that cannot be written, or whose package is not
    installed.
    """
    tracker = open_tracker(where, name)
    try:
        tracker.settings(settings_of(recipe))
        yield Followed(tracker)
    finally:
        tracker.close()


def open_tracker(where: str | None, name: str) -> Tracker:
    """The tracker that `where` names, of a run called `name`."""
    if where is None:
        return Unfollowed()
    kind, _, place = where.partition(":")
    if kind not in _KINDS or not place:
        raise TrainingError(f"{where!r} is no place to track at", field="track", fix=f"write {' or '.join(_FORMS)}")
    try:
        return _KINDS[kind](place, name)
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"tracking at {kind} needs the package {error.name}, which is not installed",
            field="track",
            fix=f"pip install 'countersign[{kind}]'",
        ) from error
    except OSError as error:
        raise TrainingError(f"{kind} cannot write there: {error.strerror}", field="track") from error


def settings_of(recipe: Recipe) -> dict[str, str]:
    """The recipe as `section.key` → value, without what could say who was learned from."""
    return dict(_flat("", recipe.describe()))


def _flat(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if key in _PRIVATE or value is None:
            continue
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", str(value)


def _tensorboard(place: str, name: str) -> Tracker:
    from train.tracking.tensorboard import TensorBoardTracker

    return TensorBoardTracker(Path(place) / name)


def _mlflow(place: str, name: str) -> Tracker:
    from train.tracking.mlflow import MlflowTracker

    return MlflowTracker(place, name)


_KINDS: Mapping[str, Callable[[str, str], Tracker]] = {"tensorboard": _tensorboard, "mlflow": _mlflow}
_FORMS = ("tensorboard:DIR", "mlflow:URI")
