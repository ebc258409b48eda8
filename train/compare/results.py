"""What a comparison of recipes writes down: result.json of every run, results.json of the matrix.

`random` (zero-effort) and `skilled` impostors are blocks of their own and are never pooled. Rates are `{value, low,
high}` with 95 % intervals by person. In a run's file they are that network's; in the matrix's they are means over the
seeds, whose interval says how far they would move with other people, and `spread` how far with other seeds.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from eval.results.counted_rate import Count, Part, measured_kinds
from eval.trials import TrialKind
from eval.verdicts.comparison_results import Difference
from verify.policy import Digest, Fraction, Rate

RUN_RESULT = "result.json"
MATRIX_RESULTS = "results.json"

FARS = (0.01, 0.001)
"""At which FRRs are measured; thresholds are chosen after the fact."""


class FrrAtFar(Part):
    """FRR at the lowest threshold whose FAR is at most `far`."""

    far: Fraction
    frr: Rate


class KindMeasure(Part):
    """One network against one kind of impostor."""

    people: Annotated[Count, Field(description="who stand behind the genuine trials, or, if fewer, the impostor ones")]
    genuine: Count
    impostor: Count
    eer: Rate
    frr_at_far: tuple[FrrAtFar, ...]


class Measure(Part):
    """One network on one set of people."""

    name: Annotated[str, Field(description="the people, and what was compared with what")]
    random: KindMeasure | None = None
    skilled: KindMeasure | None = None

    @property
    def blocks(self) -> dict[TrialKind, KindMeasure]:
        """The kinds of impostor that were measured."""
        return measured_kinds(self.random, self.skilled)


class Space(Part):
    """How embeddings use their space (`train.compare.embedding_space`)."""

    dimensions: Count
    effective_rank: float
    first_share: Fraction
    uniformity: float
    alignment: float | None = None
    singular_values: Annotated[tuple[float, ...], Field(description="of the centred embeddings, ÷ their sum")]


class RunResult(Part):
    """The whole of result.json."""

    version: Literal[1] = 1
    recipe: str
    seed: Count
    training_digest: Annotated[Digest, Field(description="of the recipe with its seed and the people it learned from")]
    measures_digest: Annotated[Digest, Field(description="of what was measured and how")]
    steps: Count
    best_step: Count
    samples: Annotated[Count, Field(description="seen in training, repeats counted")]
    cpu_seconds: Annotated[float, Field(ge=0, description="of training, steps repeated after a kill included")]
    parameters: Count
    collapsed: Annotated[str | None, Field(description="why the run counts as collapsed")] = None
    space: Space | None = None
    measures: tuple[Measure, ...] = ()


class SeedRate(Part):
    """A rate over the seeds of a recipe."""

    mean: Rate
    spread: Annotated[float, Field(ge=0, description="standard deviation over seeds; 0 for a single one")]
    by_seed: tuple[Fraction, ...]
    difference: Annotated[Difference | None, Field(description="this recipe's mean minus the reference's")] = None


class SeedFrrAtFar(Part):
    """FRR over the seeds of a recipe."""

    far: Fraction
    frr: SeedRate


class KindSummary(Part):
    """One recipe against one kind of impostor."""

    recipe: str
    people: Count
    genuine: Count
    impostor: Count
    eer: SeedRate
    frr_at_far: tuple[SeedFrrAtFar, ...]


class MeasureSummary(Part):
    """All recipes on one set of people, best mean EER first."""

    name: str
    random: tuple[KindSummary, ...] = ()
    skilled: tuple[KindSummary, ...] = ()

    @property
    def blocks(self) -> dict[TrialKind, tuple[KindSummary, ...]]:
        """The kinds of impostor that were measured."""
        found = {TrialKind.RANDOM: self.random, TrialKind.SKILLED: self.skilled}
        return {kind: block for kind, block in found.items() if block}


class ComparedRecipe(Part):
    """One recipe of the matrix and its finished runs, by seed."""

    label: str
    runs: tuple[RunResult, ...]


class MatrixResults(Part):
    """The whole of results.json."""

    version: Literal[1] = 1
    created: datetime
    reference: Annotated[str, Field(description="the recipe that differences are taken from")]
    seeds: Count
    equal_budget: Annotated[bool, Field(description="whether every run saw the same number of samples")]
    notes: tuple[str, ...] = ()
    failures: Annotated[tuple[str, ...], Field(description="runs that ended with an error and have no result")] = ()
    recipes: tuple[ComparedRecipe, ...]
    measures: tuple[MeasureSummary, ...]
    replicates: Count
    software: dict[str, str]
    command: str = ""

    def to_json(self) -> str:
        """The text of results.json; what does not exist is left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"
