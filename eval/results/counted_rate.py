"""A rate with what it was counted from, and the small parts that every block of results.json is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from verify.policy import Fraction, Rate

Count = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class Part(BaseModel):
    """Immutable and exact: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
