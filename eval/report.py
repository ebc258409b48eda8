"""report.html: the results for people, in one self-contained page without scripts, pictures of samples or network."""

import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from eval import wording
from eval.bootstrap import PersonBootstrap
from eval.figures import figures
from eval.kind_results import KindResults
from eval.metrics import threshold_at_far
from eval.results import Results
from eval.trials import ScoreTable, TrialKind
from eval.worst import worst_errors

ERRORS_AT = 0.01
"""The FAR at whose threshold the histogram's line stands and the worst errors are listed."""

GLANCE_FARS = (0.05, 0.01)
"""The false-accept rates of the overview, where there is more than one kind of impostor."""

_HERE = Path(__file__).parent


def render_report(results: Results, table: ScoreTable, bootstraps: Mapping[TrialKind, PersonBootstrap]) -> str:
    """The page as HTML text; `bootstraps` are those behind the results' intervals."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=wording.percent,
        interval=wording.interval,
        level=wording.level,
        count=lambda number: f"{number:,}",
        breakable=_breakable,
    )
    blocks = {TrialKind.RANDOM: results.random, TrialKind.SKILLED: results.skilled}
    return environment.get_template("report.html.j2").render(
        results=results,
        css=Markup((_HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own style sheet
        warnings=list(wording.warnings(results)),
        sections=[
            _section(kind, block, table, bootstraps[kind]) for kind, block in blocks.items() if block is not None
        ],
        errors_at=ERRORS_AT,
        GLANCE_FARS=GLANCE_FARS,
        glance_beyond=any(
            row.beyond_evidence
            for block in blocks.values()
            if block
            for row in block.frr_at_far
            if row.far in GLANCE_FARS
        ),
    )


def _section(kind: TrialKind, block: KindResults, table: ScoreTable, bootstrap: PersonBootstrap) -> dict[str, object]:
    """What the template shows of one kind of impostor."""
    genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
    threshold = threshold_at_far(impostor.scores, ERRORS_AT)
    drawn = figures(genuine, impostor, bootstrap, threshold, kind.value)
    return {
        "kind": kind.value,
        "title": wording.KIND_TITLES[kind],
        "block": block,
        "headline": wording.headline(block),
        "summary": list(wording.summary(kind, block)),
        "figures": {name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704 - drawn here, holds no input text
        "rejected": worst_errors(table, TrialKind.GENUINE, threshold),
        "accepted": worst_errors(table, kind, threshold),
    }


def _breakable(identifier: str) -> Markup:
    """A path-like identifier that may be broken after its separators when the column is narrow."""
    return Markup("<wbr>").join(re.findall(r"[^/_]*[/_]|[^/_]+", identifier))
