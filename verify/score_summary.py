"""The scores behind a policy, summed up: enough to compute rates of a sum of two modalities, and nothing of anybody.

A set of n scores is kept as its 100 extreme ones, each by itself, and the rest as 257 of its order statistics: score
number ⌊j (m − 1) / 256⌋ of the m others, j = 0 … 256. An impostor's extremes are the highest scores and a genuine
person's the lowest, because there the thresholds lie.

Read back, every score that was not kept takes the value of the kept one on its wrong side: the next higher for
impostors, the next lower for genuine people. A rate computed from a summary is therefore never below the rate that the
scores themselves give; at a threshold within the extremes it is that rate exactly.
"""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

EXTREMES = 100
QUANTILES = 257

FloatArray = NDArray[np.float64]
Scores = tuple[Annotated[float, Field(allow_inf_nan=False)], ...]


@dataclass(frozen=True, slots=True)
class Masses:
    """A discrete distribution.

    Attributes
    ----------
    values : float64 (K,), ascending, natural-log likelihood ratios.
    counts : float64 (K,), whole numbers: how many scores count as that value.
    total : how many scores there are, with those of failures to acquire, which are −∞ and have no value.
    """

    values: FloatArray
    counts: FloatArray
    total: int


class ScoreSummary(BaseModel):
    """`count` scores: `failures` of −∞ (the probe could not be acquired), `extremes` and `quantiles`, ascending."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(ge=1)]
    failures: Annotated[int, Field(ge=0)] = 0
    extremes: Annotated[Scores, Field(min_length=1, max_length=EXTREMES)]
    quantiles: Annotated[Scores, Field(max_length=QUANTILES)] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for name, scores in (("extremes", self.extremes), ("quantiles", self.quantiles)):
            if list(scores) != sorted(scores):
                raise ValueError(f"the {name} must be in ascending order")
        if self._others < 0 or len(self.quantiles) != min(self._others, QUANTILES):
            raise ValueError(
                f"{self.count} scores with {self.failures} failures and {len(self.extremes)} extremes do not leave "
                f"{len(self.quantiles)} quantiles"
            )
        return self

    @property
    def _others(self) -> int:
        return self.count - self.failures - len(self.extremes)

    def rounded_up(self) -> Masses:
        """The distribution of impostor scores, whose extremes are the highest: no score is taken for a lower one."""
        held = np.diff(self._ranks(), prepend=-1)
        return self._masses([*self.quantiles, *self.extremes], [*held, *[1] * len(self.extremes)])

    def rounded_down(self) -> Masses:
        """The distribution of genuine scores, whose extremes are the lowest: no score is taken for a higher one."""
        held = np.diff(self._ranks(), append=self._others)
        return self._masses([*self.extremes, *self.quantiles], [*[1] * len(self.extremes), *held])

    def _masses(self, values: list[float], counts: list[int]) -> Masses:
        return Masses(np.array(values, dtype=np.float64), np.array(counts, dtype=np.float64), self.count)

    def _ranks(self) -> NDArray[np.int64]:
        return kept_ranks(self._others)


class PolicyScores(BaseModel):
    """The development scores of one model: those of genuine people, and those of the policy's kind of impostor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    genuine: ScoreSummary
    impostor: ScoreSummary

    @model_validator(mode="after")
    def _extremes_are_outermost(self) -> Self:
        if self.genuine.quantiles and self.genuine.extremes[-1] > self.genuine.quantiles[0]:
            raise ValueError("the extremes of the genuine scores must be the lowest")
        if self.impostor.quantiles and self.impostor.extremes[0] < self.impostor.quantiles[-1]:
            raise ValueError("the extremes of the impostor scores must be the highest")
        return self


def summarize(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> PolicyScores:
    """The summary of scores float (G,) and (I,), in any order; −inf marks a failure to acquire.

    Each side must hold at least one finite score, and neither NaN nor +inf.
    """
    return PolicyScores(genuine=_summary(genuine, highest=False), impostor=_summary(impostor, highest=True))


def kept_ranks(others: int) -> NDArray[np.int64]:
    """Which of `others` ascending scores are kept as quantiles: int64 (min(others, 257),), from 0, ascending."""
    kept = min(others, QUANTILES)
    return np.arange(kept, dtype=np.int64) * (others - 1) // max(kept - 1, 1)


def _summary(scores: NDArray[np.floating], *, highest: bool) -> ScoreSummary:
    values = np.sort(np.asarray(scores, dtype=np.float64))
    finite = values[np.searchsorted(values, -np.inf, side="right") :]
    extremes = finite[-EXTREMES:] if highest else finite[:EXTREMES]
    others = finite[: -len(extremes)] if highest else finite[len(extremes) :]
    return ScoreSummary(
        count=len(values),
        failures=len(values) - len(finite),
        extremes=tuple(extremes.tolist()),
        quantiles=tuple(others[kept_ranks(len(others))].tolist()),
    )
