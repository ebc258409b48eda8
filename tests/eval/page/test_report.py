"""report.html: every block is said, an absent one leaves nothing, and the page stands alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.drawings.curves import KindCurves, ScoreHistogram
from eval.drawings.style import LIGHT
from eval.measures.rates import measure
from eval.measures.sorted_scores import ErrorCurve
from eval.page.report import Report, render_report
from eval.page.report_facts import subject
from eval.page.wording import SPACE, interval, level, percent
from eval.resampling.bootstrap import TrialBootstrap
from eval.results.results import BundleFacts, ProtocolFacts, Results, ScaleFacts, ScoreFacts
from eval.trials import TrialKind, Trials

OPTIONAL = ("at_development", "at_policy", "far_at_frr", "groups")


@pytest.fixture
def page(html: str, parse_page: Callable[[str], Any]) -> Any:
    return parse_page(html)


def test_the_page_stands_alone(html: str, parse_page: Callable[[str], Any]) -> None:
    page = parse_page(html)
    assert page.loads == []
    assert not page.tags & {"script", "img", "image", "iframe", "object", "link"}
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    assert len(page.ids) == len(set(page.ids))
    for reference in re.findall(r'(?:xlink:)?href="#([^"]*)"', html):
        assert reference in page.ids


def test_text_from_outside_is_never_markup(html: str, page: Any, hostile: str) -> None:
    assert "<script" not in html
    assert page.headings[0] == f"Error rates of model {hostile} on people {hostile}"
    assert f"{hostile}/p0" in page.text  # a claimed person among the worst errors
    assert f"“{hostile}”" in page.text  # a group


def test_every_block_is_said_with_its_numbers(full: Any, page: Any) -> None:
    results = full.results
    for block in (results.random, results.skilled):
        for row in block.frr_at_far:
            for rate in (row.achieved_far, row.frr):
                assert f"{percent(rate.value)}{interval(rate)}" in page.text
                assert f"{rate.errors:,} of {rate.trials:,}" in page.text
            for rate in (row.fmr.value, row.fnmr.value, row.gfar, row.gfrr):
                assert percent(rate) in page.text
        for row in block.far_at_frr:
            assert f"{percent(row.achieved_far.value)}{interval(row.achieved_far)}" in page.text
        for row in block.at_development:
            assert f"{percent(row.achieved_far.value)}{interval(row.achieved_far)}" in page.text
        for column in block.groups:
            for row in column.rows:
                assert f"{percent(row.frr.value)}{interval(row.frr)}" in page.text
        assert f"{block.calibration.cllr:.3f} bits" in page.text
        assert f"{block.calibration.min_cllr:.3f} (minCllr)" in page.text
        assert percent(block.person_thresholds.frr_own.value) in page.text
    for text in (
        f"comes first in {percent(0.951)}",
        f"among the first 10 in {percent(0.994)}",
        f"in {percent(0.9345)} of 288 cases (precision@1",
        f"{percent(0.8123)} (78.0–84.0{SPACE}%)",
        f"Accuracy over 2 folds is {percent(0.9731)}",
        "11 set the thresholds, 13 are reported on in 2 folds; nobody is both",
        "Half of the people by seed 3",
        "5,432 distinct comparisons of other people, enough for this FAR",
        "1.250to 1.500",
        "As the corpus asks".lower(),
        "SAMPLE_EMPTY: 3",
        "12" * 32,
        "34" * 32,
        "policy-5678",
        "used in the model's development",
        "1 of 25 people failed to enroll",
        results.command,
    ):
        assert text in page.text


def test_the_summary_comes_first_and_promises_what_development_people_set(page: Any) -> None:
    assert page.headings[1] == "In short"
    start = page.text.index("In short")
    assert start < page.text.index("At the threshold that development people set for a FAR of 1") < start + 400
    assert "rates to promise" in page.text[: page.text.index("At a glance")]


def test_an_absent_block_leaves_nothing_behind(full: Any, parse_page: Callable[[str], Any]) -> None:
    bare = full.results.random.model_copy(
        update=dict.fromkeys(OPTIONAL, ())
        | dict.fromkeys(("calibration", "eer_per_person", "d_prime", "person_thresholds", "fold_accuracy"))
    )
    results = full.results.model_copy(
        update={"random": bare, **dict.fromkeys(("skilled", "identification", "embedding"))}
    )
    html = render_report(results, full.table, full.bootstraps)
    page = parse_page(html)
    assert page.headings[1:] == [
        "In short",
        "Zero-effort impostors",
        "False rejects at a fixed false-accept rate",
        "The whole trade-off",
        "Errors most worth looking at",
        "Genuine probes turned away",
        "Impostors let through",
        "What was measured",
        "How to repeat it",
        "Words used here",
    ]
    assert html.count("<svg") == 4
    for word in ("None", "nan", "Cllr", "CMC", "t-SNE", "Skilled", "d′"):
        assert word not in re.sub(r"None at this threshold", "", page.text)
    assert not re.search(r"<(p|ul|dl|tbody|figure|div|section)[^>]*>\s*</\1>", html)
    assert "chosen on the very trials it is reported for" in page.text


def test_figures_take_every_colour_from_the_page(html: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawn) == 2 * 5 + 2
    css = html[: html.index("</style>")]
    for svg in drawn:
        assert not re.findall(r"(?:fill|stroke): #", svg)
        for variable in re.findall(r"var(\(--[\w-]+\))", svg):
            assert f"{variable.strip('()')}:" in css


def test_plain_score_files_read_well_without_errors(full: Any, parse_page: Callable[[str], Any]) -> None:
    """Nobody is known, and not one error is made at any rate asked for."""
    genuine, impostor = Trials.anonymous(np.linspace(5, 9, 400)), Trials.anonymous(np.linspace(-9, -5, 5_000))
    block = measure(genuine, impostor, TrialBootstrap(genuine, impostor, replicates=50), fars=(0.01, 0.001))
    results = Results(
        created=full.results.created,
        scores=ScoreFacts(files=("G.txt", "I.txt"), digest="56" * 32),
        bundle=BundleFacts(name="their system"),
        protocol=ProtocolFacts(rule="scores", interval="by trial", confidence=0.95, replicates=50),
        random=block,
        software={},
        command="countersign eval scores",
    )
    curves = {
        TrialKind.RANDOM: KindCurves(
            ErrorCurve(np.array([-9.0, 0.0, 9.0]), np.array([1.0, 0.0002, 0.0]), np.array([0.0, 0.0, 1.0])),
            ScoreHistogram(np.linspace(-10, 10, 41), np.arange(40), np.arange(40)[::-1]),
        )
    }
    page = parse_page(render_report(results, curves=curves))
    assert "Error rates of their system from G.txt and I.txt" in page.text
    assert f"none of 400 genuine attempts is turned away (95{SPACE}% interval 0–" in page.text
    assert "The scores do not say whose they are" in page.text
    assert "known to whoever made the scores".capitalize() in page.text
    assert "56" * 32 in page.text
    for heading in ("Errors most worth looking at", "At a glance"):
        assert heading not in page.headings
    assert "References per person" not in page.text
    assert "None" not in page.text
    assert "band holds" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_streaming_run_needs_no_trials(full: Any, parse_page: Callable[[str], Any]) -> None:
    scale = ScaleFacts(
        templates=31_623,
        samples=31_623,
        comparisons=10**9,
        bins=4_096,
        score_error=0.0025,
        exact_tail=100_000,
        groups=64,
    )
    protocol = ProtocolFacts(
        rule="all versus all", references=2, draws=3, seed=7, interval="by group", confidence=0.95, replicates=50
    )
    update = {"corpus": None, "failures": None, "skilled": None, "scale": scale, "protocol": protocol}
    page = parse_page(render_report(full.results.model_copy(update=update)))
    assert "up to 3 per person, of 2 references drawn by seed 7" in page.text
    assert "forgeries are left out" not in page.text
    assert "31,623 templates, 31,623 samples" in page.text
    assert "1,000,000,000: 31,623 templates" in page.text
    assert "at most 0.0025 off" in page.text
    assert "The whole trade-off" not in page.headings
    single = protocol.model_copy(update={"references": 1})
    page = parse_page(render_report(full.results.model_copy(update={"protocol": single, "scale": scale})))
    assert "each sample by itself" in page.text
    assert "forgeries are left out" in page.text


def test_figures_are_files_as_well(full: Any, tmp_path: Path) -> None:
    report = Report(full.results.model_copy(update={"random": None}), full.table, embedding=full.embedding)
    paths = report.write_figures(tmp_path / "figures")
    names = ("skilled-det", "skilled-roc", "skilled-scores", "skilled-reliability", "cmc", "embedding")
    assert {path.name for path in paths} == {f"{name}.{suffix}" for name in names for suffix in ("svg", "png")}
    for path in paths:
        if path.suffix == ".svg":
            assert "var(--" not in path.read_text(encoding="utf-8")
    first = report.drawings[0]
    before = [path.read_bytes() for path in paths[:2]]
    assert [path.read_bytes() for path in first.save(tmp_path, "model")] != before  # says what was measured
    assert [path.read_bytes() for path in first.save(tmp_path, subject(report.results))] == before


def test_files_have_the_colours_of_the_light_page(html: str) -> None:
    css = html[: html.index("@media")]
    for name, colour in LIGHT.named().items():
        assert f"--{name}: {colour};" in css


def test_levels_of_rare_rates_are_not_written_in_powers() -> None:
    assert level(1e-6) == f"0.0001{SPACE}%"
