"""table.md: the matrix for people."""

from collections.abc import Iterator

import numpy as np

from eval.page.wording import KIND_TITLES, SPACE, interval, level, percent
from eval.trials import TrialKind
from train.compare.embedding_space import LEAST_RANK, MOST_FIRST_SHARE, MOST_UNIFORMITY
from train.compare.pair_trials import MOST
from train.compare.results import ComparedRecipe, KindSummary, MatrixResults, MeasureSummary, SeedRate

TABLE = "table.md"

COLLAPSE_RULE = (
    "A run has collapsed (✗) where its loss or embeddings are not finite, or where the policy people's embeddings have "
    f"an effective rank below {LEAST_RANK:g}, more than {percent(MOST_FIRST_SHARE)} of their variance along one axis, "
    f"or a uniformity above {MOST_UNIFORMITY:g}."
)


def table(results: MatrixResults) -> str:
    """The text of table.md."""
    return "\n".join(_lines(results)) + "\n"


def points(share: float) -> str:
    """A difference of shares in percentage points: +0.25, −1.10."""
    text = f"{100 * share:+.2f}".replace("-", "−")
    return text if float(text[1:]) else "0.00"


def _lines(results: MatrixResults) -> Iterator[str]:
    yield f"# {len(results.recipes)} recipes × {results.seeds} seeds"
    yield ""
    yield (
        "Means over seeds. In brackets: 95 % interval by person resampled (other people, these seeds); ±: standard "
        f"deviation over seeds. Δ: percentage points from `{results.reference}`, paired by person, with 95 % interval; "
        "bold where p < 0.05 (Holm over recipes). Thresholds are chosen after the fact, each network its own. Pairs "
        "are of one sample against one within a corpus, by distance, without a Gaussian, of at most "
        f"{MOST} samples a person."
    )
    if results.notes or results.failures:
        yield ""
        yield from (f"- {note}" for note in (*results.notes, *results.failures))
    for measure in results.measures:
        for kind, block in measure.blocks.items():
            yield ""
            yield from _rates(measure, kind, block, results)
    yield ""
    yield from _budget(results)
    yield ""
    yield COLLAPSE_RULE
    if results.command:
        yield ""
        yield f"    {results.command}"


def _rates(
    measure: MeasureSummary, kind: TrialKind, block: tuple[KindSummary, ...], results: MatrixResults
) -> Iterator[str]:
    first = block[0]
    fars = [row.far for row in first.frr_at_far]
    yield f"## {measure.name}: {KIND_TITLES[kind].lower()}"
    yield ""
    yield f"{first.people:,} people, {first.genuine:,} genuine and {first.impostor:,} impostor trials a run."
    yield ""
    names = ["EER", *(f"FRR at FAR {level(far)}" for far in fars)]
    yield "| recipe | seeds | " + " | ".join(f"{name} | Δ" for name in names) + " |"
    yield "|---|---|" + "---|---|" * len(names)
    collapsed = {recipe.label: sum(run.collapsed is not None for run in recipe.runs) for recipe in results.recipes}
    for row in block:
        cells = [cell for rate in (row.eer, *(one.frr for one in row.frr_at_far)) for cell in _cells(rate)]
        mark = f" ✗{collapsed[row.recipe]}" if collapsed[row.recipe] else ""
        yield f"| {row.recipe}{mark} | {len(row.eer.by_seed)} | " + " | ".join(cells) + " |"


def _cells(rate: SeedRate) -> tuple[str, str]:
    spread = f" ± {percent(rate.spread)}" if len(rate.by_seed) > 1 else ""
    found = f"{percent(rate.mean.value)} ({interval(rate.mean)}){spread}"
    one = rate.difference
    if one is None:
        return found, "–"
    told = f"{points(one.value)} ({points(one.low)} to {points(one.high)})"
    return found, f"**{told}**" if one.p_holm < 0.05 else told


def _budget(results: MatrixResults) -> Iterator[str]:
    said = "every run saw as many samples" if results.equal_budget else "runs did NOT see as many samples"
    yield f"## What each consumed: {said}"
    yield ""
    yield (
        "| recipe | parameters | steps (best) | samples a run | CPU s a run | effective rank | first axis | "
        "uniformity | alignment | collapsed |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    yield from (_consumed(recipe) for recipe in results.recipes if recipe.runs)


def _consumed(recipe: ComparedRecipe) -> str:
    runs = recipe.runs
    spaces = [run.space for run in runs if run.space is not None]
    cells = [
        recipe.label,
        f"{runs[0].parameters:,}",
        ", ".join(f"{run.steps:,} ({run.best_step:,})" for run in runs),
        f"{np.mean([run.samples for run in runs]):,.0f}",
        f"{np.mean([run.cpu_seconds for run in runs]):,.0f}",
        _mean([space.effective_rank for space in spaces], "{:.1f}") + (f" of {spaces[0].dimensions}" if spaces else ""),
        _mean([100 * space.first_share for space in spaces], "{:.0f}" + SPACE + "%"),
        _mean([space.uniformity for space in spaces], "{:.2f}"),
        _mean([space.alignment for space in spaces if space.alignment is not None], "{:.2f}"),
        "; ".join(f"seed {run.seed}: {run.collapsed}" for run in runs if run.collapsed) or "–",
    ]
    return "| " + " | ".join(cells) + " |"


def _mean(values: list[float], form: str) -> str:
    return form.format(float(np.mean(values))).replace("-", "−") if values else "–"
