"""A whole run on synthetic people: results.json against its schema, the report, and what goes wrong."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from encode.errors import ConfigError, CorpusInvalid, TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.files.score_file import read_scores
from eval.measures.metrics import equal_error, far_at, frr_at
from eval.page.wording import interval, percent
from eval.plans.protocol import Protocol
from eval.policies.policy_builder import build_policy
from eval.results.results import Results, schema_text
from eval.run import Evaluation, evaluate
from eval.trials import TrialKind, Trials
from verify.policy import Policy
from verify.verifier import Verifier

SCHEMA = Path(__file__).parents[2] / "docs" / "results.schema.json"
MakeCorpus, MakeVerifier = Callable[..., Corpus], Callable[..., Verifier]
COMMAND = "countersign eval run folder:people --bundle models/face --out runs/<1>"


@pytest.fixture(scope="module")
def policy(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> Policy:
    corpus = make_corpus(people=12, samples=7, seed=9)
    found = evaluate(corpus, make_verifier(), Modality.FACE, Protocol(draws=2), replicates=50, quiet=True)
    return build_policy(
        found.table,
        modality=Modality.FACE,
        corpus_name="development people",
        corpus_digest=corpus.digest,
        references=5,
        replicates=50,
    )


@pytest.fixture(scope="module")
def evaluation(make_corpus: MakeCorpus, make_verifier: MakeVerifier, policy: Policy) -> Evaluation:
    corpus = make_corpus(people=12, samples=8, forgeries=4, unreadable=["p002/g03", "p003/g00"])
    return evaluate(
        corpus,
        make_verifier(policy),
        Modality.FACE,
        Protocol(draws=3),
        used_in_making={corpus.digest: "training"},
        command=COMMAND,
        replicates=100,
        quiet=True,
    )


@pytest.fixture(scope="module")
def written(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Its results.json, scores.parquet and report.html, in a folder made for them."""
    return evaluation.write(tmp_path_factory.mktemp("run") / "new" / "folder")


@pytest.fixture(scope="module")
def html(written: tuple[Path, ...]) -> str:
    return written[2].read_text(encoding="utf-8")


def test_the_schema_in_docs_is_the_models() -> None:
    """Written by: python -c 'from eval.results.results import schema_text; print(schema_text(), end="")'."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_results_validate_and_hold_what_the_scores_say(evaluation: Evaluation, written: tuple[Path, ...]) -> None:
    results_path, scores_path, _ = written
    results = json.loads(results_path.read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(results)
    assert Results.model_validate(results) == evaluation.results

    table = read_scores(scores_path)
    genuine = table.of(TrialKind.GENUINE).scores
    for kind in (TrialKind.RANDOM, TrialKind.SKILLED):
        impostor, block = table.of(kind).scores, results[kind.value]
        assert block["trials"]["genuine"] == len(genuine)
        assert block["trials"]["impostor"] == len(impostor)
        for row in [*block["frr_at_far"], *block["at_policy"]]:
            assert row["frr"]["value"] == frr_at(genuine, row["threshold"])
            assert row["achieved_far"]["value"] == far_at(impostor, row["threshold"])
            assert row["frr"]["low"] <= row["frr"]["value"] <= row["frr"]["high"]
    assert [row["target_far"] for row in results["skilled"]["at_policy"]] == [0.1, 0.05, 0.01]
    assert results["failures"]["by_reason"] == {"SAMPLE_EMPTY": 2}
    assert results["failures"]["people_attempted"] == 12


def _scores(trials: Trials, person: int, draw: int) -> NDArray[np.float64]:
    return trials.scores[(trials.claim == person) & (trials.draw == draw)]


def test_each_kind_has_its_own_rates_by_one_threshold_and_by_each_persons(evaluation: Evaluation) -> None:
    genuine = evaluation.table.of(TrialKind.GENUINE)
    draws = range(genuine.draw.max() + 1)
    blocks = {TrialKind.RANDOM: evaluation.results.random, TrialKind.SKILLED: evaluation.results.skilled}
    for kind, block in blocks.items():
        assert block is not None
        impostor = evaluation.table.of(kind)
        assert block.eer.value == equal_error(genuine.scores, impostor.scores).rate
        own = [
            np.mean([equal_error(_scores(genuine, person, d), _scores(impostor, person, d)).rate for d in draws])
            for person in range(12)
        ]
        assert block.eer_per_person is not None
        assert block.eer_per_person.value == pytest.approx(np.mean(own))
        assert {0.05, 0.01} <= {row.far for row in block.frr_at_far}
        for rate in (block.eer, block.eer_per_person, *(row.frr for row in block.frr_at_far)):
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
            assert rate.low < rate.high
    assert evaluation.results.random != evaluation.results.skilled
    assert "person" in evaluation.results.protocol.interval


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("pool", "rule", "recorded"),
    [
        (None, None, None),
        (None, "the first six", "the first six"),
        (None, "", "those that the corpus marks"),
        (7, "the first six", None),
    ],
)
def test_the_protocol_says_which_samples_were_references(
    make_corpus: MakeCorpus,
    make_verifier: MakeVerifier,
    pool: int | None,
    rule: str | None,
    recorded: str | None,
    parse_page: Callable[[str], Any],
) -> None:
    rows = [replace(row, may_enroll=rule is None or row.order < 6) for row in make_corpus(people=4, forgeries=3).rows]
    protocol = Protocol(draws=2, reference_pool=pool, impostor_samples=1)
    corpus = Corpus("people", rows, reference_rule=rule)
    found = evaluate(corpus, make_verifier(), Modality.FACE, protocol, replicates=50, quiet=True)
    facts = found.results.protocol
    assert (facts.reference_pool, facts.reference_rule, facts.impostor_samples) == (pool, recorded, 1)
    page = parse_page(found.report().html())
    assert (recorded or "from the first 7 samples" if pool else recorded or "References per person") in page.text
    assert "one sample of each other person, drawn anew each time" in page.text
    assert "all 12 forgeries, each against the person it imitates" in page.text


def test_the_overview_shows_either_kind_alike(evaluation: Evaluation, html: str) -> None:
    overview = re.sub(r"<[^>]+>", "\n", html[html.index('id="glance"') : html.index('id="random"')])
    for block in (evaluation.results.random, evaluation.results.skilled):
        assert block is not None
        assert block.eer_per_person is not None
        at = {row.far: row.frr for row in block.frr_at_far}
        for rate in (block.eer, block.eer_per_person, at[0.05], at[0.01]):
            assert f"{percent(rate.value)}\n{interval(rate)}" in overview
    assert "Beyond the evidence, see below" in overview  # 12 people with 4 forgeries each say little of FAR 5 and 1 %


def test_a_run_is_repeatable(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    texts = []
    for reverse in (False, True):
        corpus = make_corpus(people=6, samples=7, reverse=reverse)
        found = evaluate(corpus, make_verifier(), Modality.FACE, Protocol(draws=2), replicates=50, quiet=True)
        texts.append(re.sub(r'"created": "[^"]*"', "", found.results.to_json()))
    assert texts[0] == texts[1]


def test_kinds_without_trials_are_left_out(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    found = evaluate(make_corpus(people=5), make_verifier(), Modality.FACE, Protocol(), replicates=50, quiet=True)
    assert found.results.skilled is None
    assert "skilled" not in json.loads(found.results.to_json())


def test_the_report_is_one_whole_page_that_loads_nothing(
    evaluation: Evaluation, html: str, parse_page: Callable[[str], Any]
) -> None:
    page = parse_page(html)
    assert page.open == []
    assert page.loads == []
    assert not page.tags & {"script", "img", "image", "iframe", "object", "link"}
    assert "url(http" not in html
    assert len(page.ids) == len(set(page.ids))
    # DET, ROC, reliability and two widths of histogram for either kind of impostor; CMC; t-SNE
    assert html.count("<svg") == 12
    assert COMMAND in page.text
    assert "runs/<1>" not in html  # text from outside is escaped
    for text in (
        "Zero-effort impostors",
        "Skilled forgeries",
        "used in the model's training",
        "2 of 144 samples could not be acquired",
        "SAMPLE_EMPTY",
        evaluation.results.bundle.model_digest,
        evaluation.results.corpus.digest,
    ):
        assert text in page.text


def test_the_report_gives_colours_to_the_page_alone(html: str) -> None:
    """A colour fixed inside a figure would be wrong in light or in dark."""
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        assert "var(--" in svg
        assert not re.findall(r"(?:fill|stroke): #", svg)


@pytest.mark.usefixtures("undrawn")
def test_an_unwritable_folder_is_a_clear_error(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        evaluation.write(tmp_path / "file" / "below")


def test_a_corpus_of_another_modality_is_refused(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    rows = [replace(row, modality=Modality.SIGNATURE) for row in make_corpus(people=2).rows]
    with pytest.raises(CorpusInvalid, match="holds no face samples"):
        evaluate(Corpus("strokes", rows), make_verifier(), Modality.FACE, Protocol(), quiet=True)


def test_one_person_alone_gives_no_rates(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    with pytest.raises(TrialsError, match="no impostor trials"):
        evaluate(make_corpus(people=1), make_verifier(), Modality.FACE, Protocol(), quiet=True)


def test_failed_probes_raise_the_false_reject_rate(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> None:
    """The same people with one unreadable sample each: at any threshold more genuine attempts are turned away."""
    protocol = Protocol(draws=4)
    broken = [f"p{person:03}/g07" for person in range(8)]
    clean, failing = (
        evaluate(
            make_corpus(people=8, unreadable=unreadable),
            make_verifier(),
            Modality.FACE,
            protocol,
            replicates=50,
            quiet=True,
        )
        for unreadable in ((), broken)
    )
    assert clean.results.random is not None
    assert failing.results.random is not None
    assert failing.results.random.trials.genuine_failures > 0
    lowest = np.nextafter(-np.inf, 0)
    assert frr_at(clean.table.of(TrialKind.GENUINE).scores, lowest) == 0
    assert frr_at(failing.table.of(TrialKind.GENUINE).scores, lowest) > 0
    assert failing.results.failures.to_acquire.value == 8 / 64
