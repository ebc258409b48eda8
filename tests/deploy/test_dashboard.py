"""The Grafana dashboard asks only for metrics and labels that exist, and leaves no metric out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from verify.observing.prometheus import PrometheusMetrics

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "countersign.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
DOCUMENT = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
SERIES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
FROM_PROMETHEUS = {"job", "le"}


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """Name of each metric, as documented → its labels."""
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    collectors = set(registry._collector_to_names)
    found = {}
    for collector in collectors:
        [described] = collector.describe()  # type: ignore[attr-defined]
        ending = "_total" if described.type == "counter" else ""
        found[described.name + ending] = set(collector._labelnames)  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def series(metrics: dict[str, set[str]]) -> dict[str, set[str]]:
    """Name of each series, as queried → its labels. A histogram whose limits go below 0 has no sum."""
    queried = {}
    for name, labels in metrics.items():
        queried[name] = labels
        queried |= {name + ending: labels for ending in SERIES["histogram"]}
    del queried["countersign_score_sum"]
    return queried


def test_every_series_that_is_asked_for_exists(series: dict[str, set[str]]) -> None:
    asked = {name for expression in EXPRESSIONS for name in re.findall(r"countersign_\w+", expression)}
    assert asked
    assert asked - set(series) == set()


def test_every_label_that_is_asked_for_exists(series: dict[str, set[str]]) -> None:
    for expression in EXPRESSIONS:
        known = {label for name in re.findall(r"countersign_\w+", expression) for label in series[name]}
        matched = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression)
        grouped = [label for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression) for label in group.split(", ")]
        assert {*matched, *grouped} <= known | FROM_PROMETHEUS, expression


def test_every_label_of_a_legend_is_kept_by_its_expression() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            grouped = ", ".join(re.findall(r"by \(([^)]*)\)", target["expr"])).split(", ")
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= set(grouped), panel["title"]


def test_every_metric_is_shown(metrics: dict[str, set[str]]) -> None:
    shown = " ".join(EXPRESSIONS)
    assert [name for name in metrics if name not in shown] == []


def test_every_metric_is_documented_with_its_labels(metrics: dict[str, set[str]]) -> None:
    rows = {
        cells[0].strip(" `"): set(re.findall(r"`(\w+)`", cells[1]))
        for cells in (line.strip("|").split("|") for line in DOCUMENT.splitlines())
        if cells[0].strip(" `").startswith("countersign_")
    }
    assert rows == metrics


def test_panels_have_numbers_places_and_descriptions_of_their_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"]
        taken |= cells


def test_the_dashboard_takes_whichever_prometheus_it_is_given() -> None:
    sources = {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]}
    assert sources == {"${source}"}
