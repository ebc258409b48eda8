"""The report's figures: which there are for a set of results, and writing them as files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.drawings import error_curves
from eval.drawings.cmc import cmc
from eval.drawings.curves import KindCurves
from eval.drawings.embedding_map import EmbeddingMap
from eval.drawings.histogram import NARROW, WIDE, histogram
from eval.drawings.people import people_map
from eval.drawings.reliability import reliability
from eval.drawings.style import Drawing
from eval.page.wording import KIND_TITLES, SPACE, errors_row, level
from eval.results.kind_results import KindResults
from eval.results.results import Results
from eval.trials import TrialKind

FIGURES = "figures"
"""The folder of the figures' files."""


def kind_figures(kind: TrialKind, block: KindResults, curves: KindCurves | None) -> dict[str, Drawing]:
    """`det`, `roc`, `histogram` (for phones), `wide_histogram` and `reliability`, as far as there are data for them."""
    drawn: dict[str, Drawing] = {}
    against = KIND_TITLES[kind].lower()
    if curves:
        trials = block.trials.genuine, block.trials.impostor
        row = errors_row(block)
        label = f"Threshold at FAR {level(row.far).replace(SPACE, ' ')}"
        scores = f"Genuine scores and those of {against}"
        drawn = {
            "det": error_curves.det(f"{kind.value}-det", f"DET curve, {against}", curves, trials),
            "roc": error_curves.roc(f"{kind.value}-roc", f"ROC curve, {against}", curves, trials[1]),
            "histogram": histogram(
                f"{kind.value}-scores-narrow", scores, curves.histogram, row.threshold, label, NARROW
            ),
            "wide_histogram": histogram(f"{kind.value}-scores", scores, curves.histogram, row.threshold, label, WIDE),
        }
    if block.calibration and any(part.genuine + part.impostor for part in block.calibration.bins):
        title = f"Reliability of the scores, {against}"
        drawn["reliability"] = reliability(f"{kind.value}-reliability", title, block.calibration)
    return drawn


def search_figures(results: Results, mapped: EmbeddingMap | None) -> dict[str, Drawing]:
    """`cmc` and `embedding`, as far as there are data for them."""
    drawn: dict[str, Drawing] = {}
    if results.identification and results.identification.cmc:
        drawn["cmc"] = cmc("cmc", "Cumulative match characteristic", results.identification)
    if mapped:
        drawn["embedding"] = people_map("embedding", f"t-SNE map of {len(mapped.positions):,} embeddings", mapped)
    return drawn


def overlay_det(
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], title: str = "DET curves", name: str = "det"
) -> str:
    """DET curves of several models as one SVG element for a page: model → FAR, falling, and FRR, rising, (T,) each.

    Models keep their order and, with it, colour and dash. Every curve is thinned to at most 400 points. `name` must
    differ between figures of one page.
    """
    return error_curves.overlay(name, title, curves).inline()


def write_figures(folder: Path, drawings: Iterable[Drawing], subject: str = "") -> list[Path]:
    """Write each drawing as .svg and .png into `folder`, made if need be; `subject` (model on corpus) is in its title.

    Raises OSError if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [path for drawing in drawings for path in drawing.save(folder, subject)]
