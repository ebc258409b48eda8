"""A rate with what it was counted from, and the small parts that every block of results.json is made of."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from eval.trials import TrialKind
from verify.policy import Fraction, Rate

Count = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class Part(BaseModel):
    """Immutable and exact: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Block = TypeVar("Block")


def measured_kinds(random: Block | None, skilled: Block | None) -> dict[TrialKind, Block]:
    """The blocks that exist, by kind of impostor, in the order in which they are reported."""
    found = {TrialKind.RANDOM: random, TrialKind.SKILLED: skilled}
    return {kind: block for kind, block in found.items() if block is not None}


class CountedRate(Rate):
    """A share of trials, with the interval of its block and, beside it, the exact one for independent trials."""

    errors: Annotated[int, Field(ge=0, description="trials decided wrongly, every draw counted")]
    trials: Annotated[int, Field(ge=1, description="trials, every draw counted")]
    clopper_pearson: Annotated[
        tuple[Fraction, Fraction],
        Field(description="exact binomial ends over distinct comparisons: right only if no two trials share a person"),
    ]

    @property
    def plain(self) -> Rate:
        """The value and the ends alone, as a policy holds them."""
        return Rate(value=self.value, low=self.low, high=self.high)
