"""Runs → one row a recipe: means over seeds, intervals by person, and differences from the reference.

People are the unit and seeds are repeats on the same people. So replicate b of a recipe's mean is the mean over its
seeds of their replicates b, each of the same resample of people, and

    interval     of the mean, from those replicates: how far it would move with other people, at these seeds
    spread       standard deviation over seeds of the rate itself: how far it moves with another seed
    difference   paired by resample of people, Student's t, Holm over recipes (`eval.verdicts.paired`)
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.resampling.logit_interval import logit_interval
from eval.trials import TrialKind
from eval.verdicts.comparison_results import Difference
from eval.verdicts.paired import holm, paired_difference
from train.compare.results import (
    FARS,
    KindMeasure,
    KindSummary,
    MeasureSummary,
    RunResult,
    SeedFrrAtFar,
    SeedRate,
)
from train.compare.run_folder import Replicates
from verify.policy import Rate

FloatArray = NDArray[np.float64]

Done = tuple[RunResult, Replicates]
"""A finished run and what was kept of its replicates."""


def summarise(runs: Mapping[str, Sequence[Done]], reference: str) -> tuple[MeasureSummary, ...]:
    """Every measure that some run has, recipes by ascending mean EER; `runs` by recipe, of which some may have none."""
    names = dict.fromkeys(measure.name for done in runs.values() for run, _ in done for measure in run.measures)
    return tuple(
        MeasureSummary(
            name=name,
            random=_of_kind(runs, reference, name, TrialKind.RANDOM),
            skilled=_of_kind(runs, reference, name, TrialKind.SKILLED),
        )
        for name in names
    )


class _Seeds:
    """One recipe's runs on one set of people, against one kind of impostor."""

    def __init__(self, found: Sequence[tuple[KindMeasure, FloatArray]]) -> None:
        self.measures = [measure for measure, _ in found]
        self.drawn: FloatArray = np.mean([drawn for _, drawn in found], axis=0)  # NaN where any seed has none
        first = self.measures[0]
        self.people, self.genuine, self.impostor = first.people, first.genuine, first.impostor

    def rates(self, index: int) -> list[Rate]:
        """By seed: the EER for 0, then the FRR at every FAR."""
        return [one.eer if index == 0 else one.frr_at_far[index - 1].frr for one in self.measures]

    def value(self, index: int) -> float:
        return float(np.mean([rate.value for rate in self.rates(index)]))

    @property
    def comparisons(self) -> int:
        return min(self.genuine, self.impostor)

    def mean(self, index: int) -> Rate:
        own, drawn = self.rates(index), self.drawn[index]
        found = logit_interval(
            self.value(index),
            drawn[~np.isnan(drawn)],
            people=max(self.people, 2),
            comparisons=self.comparisons,
        )
        # Where no seed made an error, each run's own interval knows how alike trials are; its end is no wider for more.
        return found.model_copy(update={"high": max(rate.high for rate in own)}) if found.value == 0 else found


def _of_kind(runs: Mapping[str, Sequence[Done]], reference: str, name: str, kind: TrialKind) -> tuple[KindSummary, ...]:
    held = {label: _seeds(done, name, kind) for label, done in runs.items()}
    found = {label: seeds for label, seeds in held.items() if seeds is not None}
    differences = [_differences(found, reference, index) for index in range(1 + len(FARS))]
    rows = [
        KindSummary(
            recipe=label,
            people=seeds.people,
            genuine=seeds.genuine,
            impostor=seeds.impostor,
            eer=_rate(seeds, 0, differences[0].get(label)),
            frr_at_far=tuple(
                SeedFrrAtFar(far=far, frr=_rate(seeds, index, differences[index].get(label)))
                for index, far in enumerate(FARS, start=1)
            ),
        )
        for label, seeds in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: row.eer.mean.value))


def _seeds(done: Sequence[Done], name: str, kind: TrialKind) -> _Seeds | None:
    found = [
        (measure.blocks[kind], replicates[name, kind])
        for run, replicates in done
        for measure in run.measures
        if measure.name == name and kind in measure.blocks
    ]
    return _Seeds(found) if found else None


def _rate(seeds: _Seeds, index: int, difference: Difference | None) -> SeedRate:
    values = [rate.value for rate in seeds.rates(index)]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return SeedRate(mean=seeds.mean(index), spread=spread, by_seed=tuple(values), difference=difference)


def _differences(found: Mapping[str, _Seeds], reference: str, index: int) -> dict[str, Difference]:
    """Every recipe against the reference, where both claimed as many people: only then are resamples the same."""
    base = found.get(reference)
    others = {
        label: seeds
        for label, seeds in found.items()
        if base is not None and label != reference and seeds.people == base.people
    }
    if base is None or not others:
        return {}
    measured = []
    for seeds in others.values():
        both = ~np.isnan(base.drawn[index]) & ~np.isnan(seeds.drawn[index])
        measured.append(
            paired_difference(
                base.value(index),
                seeds.value(index),
                (base.drawn[index][both], seeds.drawn[index][both]),
                people=max(base.people, 2),
                comparisons=min(base.genuine, seeds.genuine),
            )
        )
    adjusted = holm([one.p for one in measured])
    return {
        label: Difference(name=label, value=one.value, low=one.low, high=one.high, p=one.p, p_holm=p)
        for label, one, p in zip(others, measured, adjusted, strict=True)
    }
