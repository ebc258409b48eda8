"""comparison.json: models side by side on the same people, and what is more than chance.

Each kind of impostor is a block of its own, never pooled. Every model is held against the first one.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from eval.results.counted_rate import Count, Part, measured_kinds
from eval.results.kind_results import KindResults
from eval.trials import TrialKind
from verify.policy import Fraction

COMPARISON = "comparison.json"
"""What the results are called in a folder."""

Share = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class Difference(Part):
    """A rate of one model minus that of the first, with its interval; `p` is of the test in `eval.verdicts.paired`."""

    name: Annotated[str, Field(description="the model held against the first")]
    value: Annotated[Share, Field(description="above 0: this model's rate is the higher one")]
    low: Share
    high: Share
    p: Annotated[Fraction, Field(description="two-sided, that chance alone makes such a difference")]
    p_holm: Annotated[
        Fraction, Field(description="the same, adjusted for as many models as are held against the first")
    ]


class DifferencesAtFar(Part):
    """FRR where FAR is at most `far`, every model at its own a-posteriori threshold."""

    far: Fraction
    differences: tuple[Difference, ...]
    beyond_evidence: Annotated[bool, Field(description="fewer than 30 / far distinct impostor comparisons of a model")]


class ModelRates(Part):
    """The rates of one model."""

    name: str
    rates: KindResults


class KindComparison(Part):
    """All models against one kind of impostor; the first model is what differences are taken from."""

    interval: Annotated[str, Field(description="what was resampled")]
    models: Annotated[tuple[ModelRates, ...], Field(min_length=2)]
    frr_at_far: tuple[DifferencesAtFar, ...]
    eer: tuple[Difference, ...]
    auc: tuple[Difference, ...]


class ComparedModel(Part):
    """One model: its name here, and which one it is."""

    name: str
    model_digest: Annotated[str, Field(description="as the scores say; any name where they are not of our bundles")]


class ComparisonResults(Part):
    """The whole of comparison.json."""

    version: Literal[1] = 1
    created: datetime
    models: Annotated[tuple[ComparedModel, ...], Field(min_length=2)]
    people: Annotated[int, Field(ge=2, description="claimed, the same ones for every model")]
    notes: Annotated[tuple[str, ...], Field(description="what a reader must know before trusting the differences")] = ()
    test: str = "two-sided t on differences paired by resampled person; Holm over models"
    confidence: Annotated[float, Field(gt=0, lt=1)]
    replicates: Annotated[int, Field(ge=1)]
    seed: Count
    random: KindComparison | None = None
    skilled: KindComparison | None = None
    software: dict[str, str]
    command: Annotated[str, Field(description="repeats the comparison")] = ""

    @property
    def blocks(self) -> dict[TrialKind, KindComparison]:
        """The kinds of impostor that the models were compared on."""
        return measured_kinds(self.random, self.skilled)

    def to_json(self) -> str:
        """The text of comparison.json; blocks that do not exist are left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"
