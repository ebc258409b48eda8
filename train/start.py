"""A run that begins from another run's weights: its second stage, with other people, batches or losses.

The network begins from the other's best averaged weights; the objective's own parameters (class weights, scales) too,
where both runs learn from the same people in the same order and have the same terms. Optimiser and schedule are new.
"""

from pathlib import Path
from typing import Any

from encode.errors import TrainingError
from train.checkpoint import load_checkpoint
from train.loop import CHECKPOINT, Trainer


def begin_from(trainer: Trainer, folder: Path) -> None:
    """Give `trainer`, before it runs, the weights of the run in `folder` (`--work` of that run).

    A run of its own that was broken off goes on from its own checkpoint all the same.

    Raises TrainingError if no run is there, if it has no best weights yet, or if its network is another.
    """
    state = load_checkpoint(folder / CHECKPOINT)
    weights = None if state is None else state["best"]["weights"]
    if state is None or weights is None:
        raise TrainingError(f"no run with weights is in {folder}", field="start", fix="name the --work folder of a run")
    try:
        trainer.network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            "the run to begin from has another network", field="start", fix="give both recipes the same network"
        ) from error
    trainer.average.load_state_dict(weights)
    trainer.begun = f"step {state['best']['step']} of `{state['name']}`"
    if state["people"] == trainer.people_digest() and _alike(state["objective"], trainer.objective.state_dict()):
        trainer.objective.load_state_dict(state["objective"])


def _alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (first, second)]
    return shapes[0] == shapes[1]
