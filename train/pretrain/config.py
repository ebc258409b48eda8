"""The section `[pretrain]` of a recipe: label-free training before the supervised one."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class PretrainConfig:
    """SimCLR on the recipe's network, with the variation that the recipe trains with (`train.pretrain.trainer`).

    Attributes
    ----------
    samples : of a batch, each in two views.
    temperature : τ of NT-Xent.
    hidden, size : widths of the projection head's two layers; the head is dropped afterwards.
    steps, rate, weight_decay, warmup : as of `[optimisation]`, whose other keys count here too; the rate decays along a
        cosine whatever the recipe's own schedule is.
    """

    steps: Positive = 1000
    samples: Annotated[int, Field(ge=2)] = 128
    temperature: Annotated[float, Field(gt=0.0)] = 0.2
    hidden: Positive = 256
    size: Positive = 64
    rate: Annotated[float, Field(gt=0.0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-4
    warmup: Annotated[int, Field(ge=0)] = 100
