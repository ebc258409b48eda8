"""Preprocessing of pen strokes as data, and which kind of preprocessing a manifest asks for.

A signature model's manifest names one step that turns a trajectory into the encoder's input, for example::

    [{"step": "bromley1993", "points": 200, "features": ["pen", "x", "y", "speed"]}]

What comes before, validation and the repair of time, is the same for every model: :mod:`encode.strokes`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encode.errors import BundleCorrupt
from encode.preprocessing import Preprocessing
from encode.sample import Modality
from encode.step import parse_steps
from encode.stroke_steps import STROKE_STEP_NAMES, STROKE_STEPS
from encode.strokes import Trajectory


class StrokePreprocessing:
    """A validated list of exactly one stroke step.

    Attributes
    ----------
    shape : (C, T) of what comes out.
    """

    def __init__(self, steps: Sequence[object]) -> None:
        parsed = parse_steps(STROKE_STEPS, steps)
        if len(parsed) != 1:
            raise BundleCorrupt("preprocessing of strokes needs exactly one step", field="preprocessing")
        self.step = parsed[0]
        self.shape = self.step.shape

    def describe(self) -> list[dict[str, object]]:
        """The step as the manifest writes it."""
        return [self.step.model_dump(mode="json")]

    def __call__(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """Trajectory → float32 (C, T), contiguous, ready for the encoder."""
        return np.ascontiguousarray(self.step.apply(trajectory))


def read_preprocessing(steps: Sequence[object], modality: Modality) -> Preprocessing | StrokePreprocessing:
    """The preprocessing a manifest asks for: of strokes if it names a stroke step, else of images.

    Raises
    ------
    BundleCorrupt : the list is wrong, mixes the two, or reads strokes for a modality that has none.
    """
    if not any(isinstance(step, dict) and step.get("step") in STROKE_STEP_NAMES for step in steps):
        return Preprocessing(steps)
    if modality is not Modality.SIGNATURE:
        raise BundleCorrupt(f"a {modality.value} model cannot read strokes", field="preprocessing")
    return StrokePreprocessing(steps)
