"""Models side by side on the same people: each one's rates, and whether they differ by more than chance.

Thresholds are chosen after the fact, each model its own. People are resampled once for all models
(`eval.resampling.bootstrap`), and differences are taken within each resample (`eval.verdicts.paired`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from encode.errors import FieldInvalid, TrialsError
from eval.files.writing import writing
from eval.measures.rates import measure
from eval.page.report_compare import render_comparison
from eval.progress import track
from eval.resampling.bootstrap import DEFAULT_REPLICATES, PersonBootstrap, shared_rows
from eval.resampling.intervals import CONFIDENCE
from eval.resampling.replicates import FloatArray, Replicates
from eval.results.kind_results import KindResults
from eval.software import software_versions
from eval.trials import IMPOSTOR_KINDS, ScoreTable, TrialKind
from eval.verdicts.aligned import align, same_claimed, trials_apart
from eval.verdicts.comparison_results import (
    COMPARISON,
    ComparedModel,
    ComparisonResults,
    Difference,
    DifferencesAtFar,
    KindComparison,
    ModelRates,
)
from eval.verdicts.paired import holm, paired_difference
from verify.policy import Rate

FARS = (0.01, 0.001)
PAGE = "comparison.html"


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and the scores behind it by the models' names, in one numbering of people."""

    results: ComparisonResults
    tables: Mapping[str, ScoreTable]

    def write(self, out: Path) -> tuple[Path, Path]:
        """Write comparison.json and comparison.html into the folder `out`, made if need be.

        Raises ConfigError if they cannot be written.
        """
        paths = out / COMPARISON, out / PAGE
        with writing(out, "the comparison"):
            paths[0].write_text(self.results.to_json(), encoding="utf-8")
            paths[1].write_text(render_comparison(self.results, self.tables), encoding="utf-8")
        return paths


@dataclass(frozen=True)
class _Measured:
    """One model's rates of one kind, and the replicates, float64 (B,), of those that are compared."""

    rates: KindResults
    bootstrap: Replicates
    frr_at_far: tuple[FloatArray, ...]
    eer: FloatArray
    auc: FloatArray


def compare(
    tables: Mapping[str, ScoreTable],
    *,
    fars: Sequence[float] = FARS,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
    notes: Sequence[str] = (),
    command: str = "",
    quiet: bool = False,
) -> Comparison:
    """Measure every table, and hold each against the first.

    Parameters
    ----------
    tables : by name, two or more; what differences are taken from comes first.
    fars : at which FRRs are compared.
    notes : what is known of the tables beyond their trials.

    Raises
    ------
    FieldInvalid : fewer than two tables, or a FAR outside (0, 1).
    TrialsError : the tables do not claim the same people, or share no kind of impostor.
    """
    if len(tables) < 2:
        raise FieldInvalid("two models or more are compared", field="scores")
    for far in fars:
        if not 0 < far < 1:
            raise FieldInvalid(f"a FAR lies between 0 and 1, not at {far:g}", field="far")
    aligned = align(tables)
    blocks: dict[TrialKind, KindComparison] = {}
    found = [*notes, *_trial_notes(aligned)]
    for kind in IMPOSTOR_KINDS:
        having = {name: table for name, table in aligned.items() if table.counts[kind]}
        if len(having) == len(aligned) and not same_claimed(having.values(), kind):
            found.append(f"Not every model has genuine or {kind.value} trials of the same people: not compared.")
        elif len(having) == len(aligned):
            blocks[kind] = _compared(having, kind, sorted(set(fars), reverse=True), replicates, seed, quiet)
        elif having:
            found.append(f"Only {', '.join(having)} has {kind.value} impostor trials: that kind is not compared.")
    if not blocks:
        raise TrialsError("there is no kind of impostor that every model was measured against on the same people")
    results = ComparisonResults(
        created=datetime.now(UTC).replace(microsecond=0),
        models=tuple(ComparedModel(name=name, model_digest=table.model_digest) for name, table in aligned.items()),
        people=int(np.unique(next(iter(aligned.values())).claim).size),
        notes=tuple(found),
        confidence=CONFIDENCE,
        replicates=replicates,
        seed=seed,
        software=software_versions(),
        command=command,
        random=blocks.get(TrialKind.RANDOM),
        skilled=blocks.get(TrialKind.SKILLED),
    )
    return Comparison(results, aligned)


def _compared(
    tables: Mapping[str, ScoreTable], kind: TrialKind, fars: Sequence[float], replicates: int, seed: int, quiet: bool
) -> KindComparison:
    measured: dict[str, _Measured] = {}
    for name in track(tuple(tables), len(tables), f"Measuring models against {kind.value} impostors", quiet=quiet):
        genuine, impostor = tables[name].of(TrialKind.GENUINE), tables[name].of(kind)
        bootstrap = PersonBootstrap(genuine, impostor, replicates=replicates, seed=seed)
        measured[name] = _Measured(
            rates=measure(genuine, impostor, bootstrap, fars=fars),
            bootstrap=bootstrap,
            frr_at_far=tuple(bootstrap.frr_replicates(far) for far in fars),
            eer=bootstrap.equal_error_replicates(),
            auc=bootstrap.auc_replicates(),
        )
    at_far = [
        DifferencesAtFar(
            far=far,
            differences=_differences(
                {name: (one, one.rates.frr_at_far[index].frr, one.frr_at_far[index]) for name, one in measured.items()}
            ),
            beyond_evidence=any(one.rates.frr_at_far[index].beyond_evidence for one in measured.values()),
        )
        for index, far in enumerate(fars)
    ]
    return KindComparison(
        interval=next(iter(measured.values())).bootstrap.method,
        models=tuple(ModelRates(name=name, rates=one.rates) for name, one in measured.items()),
        frr_at_far=tuple(at_far),
        eer=_differences({name: (one, one.rates.eer, one.eer) for name, one in measured.items()}),
        auc=_differences({name: (one, one.rates.auc, one.auc) for name, one in measured.items()}),
    )


def _differences(models: Mapping[str, tuple[_Measured, Rate, FloatArray]]) -> tuple[Difference, ...]:
    """Every model but the first, held against it by one rate and its replicates."""
    (_, (reference, first, first_replicates)), *others = models.items()
    found = []
    for _, (one, rate, replicates) in others:
        rows = shared_rows(reference.bootstrap, one.bootstrap)
        found.append(
            paired_difference(
                first.value,
                rate.value,
                (first_replicates[rows[0]], replicates[rows[1]]),
                people=reference.rates.trials.people or 2,
                comparisons=min(reference.rates.trials.genuine_comparisons, one.rates.trials.genuine_comparisons),
            )
        )
    adjusted = holm([one.p for one in found])
    return tuple(
        Difference(name=name, value=one.value, low=one.low, high=one.high, p=one.p, p_holm=p_holm)
        for (name, _), one, p_holm in zip(others, found, adjusted, strict=True)
    )


def _trial_notes(tables: Mapping[str, ScoreTable]) -> list[str]:
    (first, reference), *others = tables.items()
    apart = {name: trials_apart(reference, table) for name, table in others}
    return [
        f"{count:,} trials are only in one of {first} and {name}: the same people were claimed, "
        "but not with the same references or probes."
        for name, count in apart.items()
        if count
    ]
