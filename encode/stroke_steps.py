"""Pen trajectory → float32 (C, T): the steps a signature model's manifest may name.

Each is data (see :class:`encode.step.Step`) with `shape`, (C, T), and `apply`.
"""

from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, model_validator

from encode.bromley_features import FEATURES, FeatureName, bromley_features
from encode.pen_frames import PenFrames
from encode.step import Step
from encode.strokes import Trajectory


class Bromley1993(Step):
    """The features of Bromley et al. 1993 (formulas in :mod:`encode.bromley_features`), at `points` uniform in time.

    The paper describes ten features and its network reads 8 by 200 of them. The default takes pen, both positions,
    speed, both accelerations and direction: turns are left out because they follow from what is there, within the reach
    of the network's first layer, whereas positions, which are sums over the past, do not.
    """

    step: Literal["bromley1993"] = "bromley1993"
    points: Annotated[int, Field(ge=16, le=4096)] = 200
    features: Annotated[tuple[FeatureName, ...], Field(min_length=1)] = FEATURES[:8]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(C, T) of what comes out: features in the order named, points in the order of time."""
        return len(self.features), self.points

    def apply(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """One trajectory → float32 (C, T), finite."""
        named = bromley_features(trajectory, self.points)
        return np.stack([named[name] for name in self.features]).astype(np.float32)


StrokeStep = Bromley1993 | PenFrames
STROKE_STEPS: TypeAdapter[list[StrokeStep]] = TypeAdapter(list[Annotated[StrokeStep, Field(discriminator="step")]])
STROKE_STEP_NAMES = tuple(kind.model_fields["step"].default for kind in get_args(StrokeStep))
