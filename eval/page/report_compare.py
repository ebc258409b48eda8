"""comparison.html: models side by side for people, in one self-contained page like the report (`eval.page.report`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from eval.drawings.curves import FloatArray
from eval.drawings.figures import overlay_det
from eval.measures.sorted_scores import SortedScores
from eval.page.environment import render
from eval.page.report_facts import Fact
from eval.page.wording import KIND_TITLES, SPACE, level
from eval.trials import ScoreTable, TrialKind
from eval.verdicts.comparison_results import ComparisonResults, Difference, KindComparison
from verify.policy import Rate

CHANCE = 0.05
"""A difference with a lower p (Holm's, over models) is called more than chance."""

_CURVE_POINTS = 1000
_NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Column:
    """One rate that models are compared by, with each model's value and each further model's difference."""

    name: str
    rates: list[Rate]
    differences: list[Difference]
    beyond_evidence: bool = False


def render_comparison(results: ComparisonResults, tables: Mapping[str, ScoreTable] | None = None) -> str:
    """The page as HTML text; with the scored trials of each model, by the names in `results`, DET curves as well."""
    return render(
        "compare.html.j2",
        results=results,
        title=" and ".join(model.name for model in results.models)
        if len(results.models) == 2
        else f"{len(results.models)} models",
        sections=[
            {
                "kind": kind.value,
                "title": KIND_TITLES[kind],
                "block": block,
                "summary": list(_summary(block)),
                "columns": list(_columns(block)),
                "figure": _overlay(kind, tables) if tables else None,
            }
            for kind, block in results.blocks.items()
        ],
        repeat=list(_facts(results)),
        signed=_signed,
        chance=lambda p: _p(p).removeprefix(f"={_NO_BREAK}"),
        CHANCE=CHANCE,
    )


def _columns(block: KindComparison) -> Iterator[Column]:
    for index, row in enumerate(block.frr_at_far):
        rates: list[Rate] = [model.rates.frr_at_far[index].frr for model in block.models]
        yield Column(f"FRR at FAR {level(row.far)}", rates, list(row.differences), row.beyond_evidence)
    yield Column("EER", [model.rates.eer for model in block.models], list(block.eer))
    yield Column("AUC", [model.rates.auc for model in block.models], list(block.auc))


def _summary(block: KindComparison) -> Iterator[str]:
    """One sentence a model, at the strictest rate that the trials support, or else by EER."""
    supported = [row for row in block.frr_at_far if not row.beyond_evidence]
    row = min(supported, key=lambda row: row.far) if supported else None
    first = block.models[0].name
    for one in row.differences if row else block.eer:
        points = f"{100 * abs(one.value):.2f} percentage points"
        span = f"95{SPACE}% interval {_signed(one.low)} to {_signed(one.high)}"
        if one.value == 0:
            what = f"{one.name} and {first} make the same share of errors"
        elif row:
            side = "fewer" if one.value < 0 else "more"
            what = f"At FAR {level(row.far)}, {one.name} turns away {points} {side} of genuine attempts than {first}"
        else:
            what = f"The equal error rate of {one.name} is {points} {'below' if one.value < 0 else 'above'} {first}’s"
        verdict = "more than chance" if one.p_holm < CHANCE else "which chance alone could make"
        yield f"{what} ({span}): {verdict} (p{_NO_BREAK}{_p(one.p_holm)})."


def _overlay(kind: TrialKind, tables: Mapping[str, ScoreTable]) -> Markup:
    curves: dict[str, tuple[FloatArray, FloatArray]] = {}
    for name, table in tables.items():
        scores = SortedScores(table.of(TrialKind.GENUINE).scores, table.of(kind).scores)
        curve = scores.curve(_CURVE_POINTS)
        curves[name] = curve.far, curve.frr
    svg = overlay_det(curves, f"DET curves, {KIND_TITLES[kind].lower()}", name=f"{kind.value}-det")
    return Markup(svg)  # noqa: S704 - drawn here; text from outside is escaped in it


def _facts(results: ComparisonResults) -> Iterator[Fact]:
    for model in results.models:
        yield Fact(model.name, (), model.model_digest)
    yield Fact("Test", (results.test, f"{results.replicates:,} resamples, seed {results.seed}"))
    yield Fact("Software", (", ".join(f"{name} {number}" for name, number in results.software.items()),))


def _signed(share: float) -> str:
    """A difference of shares in percentage points: +0.25, −1.10."""
    text = f"{100 * share:+.2f}".replace("-", "−")
    return text if float(text[1:]) else "0.00"


def _p(p: float) -> str:
    return f"={_NO_BREAK}{p:.2g}" if p >= 0.0001 else f"<{_NO_BREAK}0.0001"
