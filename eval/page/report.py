"""report.html: the results for people, in one self-contained page without scripts, pictures of samples or network.

    Results (+ scored trials, or curves as counted) ─→ drawings, sentences, facts ─→ page

Every block of the results is optional, and one that is absent leaves nothing behind on the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eval.drawings.curves import IntervalAtFar, KindCurves, curves_of
from eval.drawings.embedding_map import EmbeddingMap
from eval.drawings.figures import kind_figures, search_figures, write_figures
from eval.drawings.style import Drawing
from eval.page import sentences
from eval.page.cautions import warnings
from eval.page.environment import render
from eval.page.report_facts import measured_facts, repeat_facts, size, subject
from eval.page.report_intervals import stated_rates
from eval.page.wording import KIND_TITLES, errors_row
from eval.page.worst import WorstError, worst_errors
from eval.results.kind_results import KindResults
from eval.results.results import RESULTS, Results
from eval.trials import ScoreTable, TrialKind

REPORT, FIGURES = "report.html", "figures"

GLANCE_FARS = (0.05, 0.01)
"""The false-accept rates of the overview, where there is more than one kind of impostor."""

_NOT_FILES = frozenset({"histogram"})
"""Drawn for phones only."""


@dataclass(frozen=True)
class Section:
    """One kind of impostor on the page."""

    kind: TrialKind
    block: KindResults
    drawings: Mapping[str, Drawing]
    has_band: bool
    rejected: list[WorstError] | None
    accepted: list[WorstError] | None


class Report:
    """The page and its figures.

    Parameters
    ----------
    results : all that is said.
    table : the scored trials, for curves and worst errors; None where a run kept counts alone.
    bootstraps : those behind the results' intervals, for the bands along the curves; a kind may be missing.
    curves : of a kind, where there is no table (`eval.drawings.curves.KindCurves`); they go before those of the table.
    embedding : where samples lie in the embedding (`eval.drawings.embedding_map`).
    """

    def __init__(
        self,
        results: Results,
        table: ScoreTable | None = None,
        bootstraps: Mapping[TrialKind, IntervalAtFar] | None = None,
        *,
        curves: Mapping[TrialKind, KindCurves] | None = None,
        embedding: EmbeddingMap | None = None,
    ) -> None:
        self.results = results
        self.embedding = embedding
        self.sections = [
            _section(kind, block, table, (bootstraps or {}).get(kind), (curves or {}).get(kind))
            for kind, block in results.blocks.items()
        ]
        self._search = search_figures(results, embedding)

    @property
    def drawings(self) -> list[Drawing]:
        """Those that are worth a file."""
        groups = [section.drawings for section in self.sections] + [self._search]
        return [drawing for group in groups for name, drawing in group.items() if name not in _NOT_FILES]

    def html(self) -> str:
        """The page."""
        results = self.results
        return render(
            "report.html.j2",
            results=results,
            subject=subject(results),
            size=size(results),
            warnings=list(warnings(results)),
            sections=[_for_template(section) for section in self.sections],
            GLANCE_FARS=GLANCE_FARS,
            figures=_inline(self._search),
            identification=list(sentences.identification(results.identification)) if results.identification else [],
            retrieval=sentences.embedding(results.embedding) if results.embedding else "",
            mapped=self.embedding,
            measured=list(measured_facts(results)),
            repeat=list(repeat_facts(results)),
        )

    def write_figures(self, folder: Path) -> list[Path]:
        """Write every figure as .svg and .png into `folder`, made if need be. Raises OSError if that fails."""
        return write_figures(folder, self.drawings, subject(self.results))


def write_results(report: Report, out: Path, *, beside: str) -> list[Path]:
    """Write results.json and report.html into the folder `out`, between them the caller's own file `beside`.

    Returns the paths of all three. Raises OSError.
    """
    paths = [out / RESULTS, out / beside, out / REPORT]
    paths[0].write_text(report.results.to_json(), encoding="utf-8")
    paths[2].write_text(report.html(), encoding="utf-8")
    return paths


def render_report(
    results: Results,
    table: ScoreTable | None = None,
    bootstraps: Mapping[TrialKind, IntervalAtFar] | None = None,
    *,
    curves: Mapping[TrialKind, KindCurves] | None = None,
    embedding: EmbeddingMap | None = None,
) -> str:
    """The page as HTML text; arguments as of `Report`."""
    return Report(results, table, bootstraps, curves=curves, embedding=embedding).html()


def _section(
    kind: TrialKind,
    block: KindResults,
    table: ScoreTable | None,
    intervals: IntervalAtFar | None,
    curves: KindCurves | None,
) -> Section:
    rejected = accepted = None
    if table is not None:
        genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
        curves = curves or curves_of(genuine, impostor, intervals)
        if not (genuine.is_anonymous or impostor.is_anonymous):
            threshold = errors_row(block).threshold
            rejected = worst_errors(table, TrialKind.GENUINE, threshold)
            accepted = worst_errors(table, kind, threshold)
    has_band = curves is not None and curves.band is not None
    return Section(kind, block, kind_figures(kind, block, curves), has_band, rejected, accepted)


def _for_template(section: Section) -> dict[str, object]:
    block = section.block
    counts = block.trials
    return {
        "kind": section.kind.value,
        "title": KIND_TITLES[section.kind],
        "block": block,
        "promise": sentences.promise(block),
        "summary": list(sentences.summary(section.kind, block)),
        "calibration": sentences.calibration(block.calibration) if block.calibration else "",
        "groups": [
            (column, sentences.group_name(column.column), list(sentences.groups(column))) for column in block.groups
        ],
        "own_thresholds": sentences.own_thresholds(block.person_thresholds) if block.person_thresholds else "",
        "fold_accuracy": sentences.fold_accuracy(block.fold_accuracy) if block.fold_accuracy else "",
        "failures": bool(counts.genuine_failures or counts.impostor_failures),
        "figures": _inline(section.drawings),
        "has_band": section.has_band,
        "rejected": section.rejected,
        "accepted": section.accepted,
        "errors_at": errors_row(block).far,
        "stated": list(stated_rates(block)),
    }


def _inline(drawings: Mapping[str, Drawing]) -> dict[str, Markup]:
    return {
        name: Markup(drawing.inline())  # noqa: S704 - drawn here; text from outside is escaped in it
        for name, drawing in drawings.items()
    }
