"""Results that fill every block of the schema, on synthetic people with hostile names; none of it was measured."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from encode.sample import Modality
from eval.drawings.embedding_map import EmbeddingMap
from eval.measures.group_rates import group_columns
from eval.measures.person_thresholds import person_thresholds
from eval.measures.rates import measure
from eval.page.report import render_report
from eval.page.report_compare import render_comparison
from eval.resampling.bootstrap import PersonBootstrap
from eval.resampling.intervals import clopper_pearson
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import FoldAccuracy, KindResults, PolicyPoint, TransferredPoint
from eval.results.results import (
    BundleFacts,
    CorpusFacts,
    FailureFacts,
    PolicyFacts,
    ProtocolFacts,
    Results,
    SplitFacts,
)
from eval.results.search_results import EmbeddingQuality, Identification, OpenSetPoint, RankRate
from eval.trials import KINDS, ScoreTable, TrialKind
from eval.verdicts.compare import compare
from verify.policy import PolicyTrials, Rate

HOSTILE = '<script>alert("x")</script>&amp;$\\frac{1}{2}$'
PEOPLE = 24


@dataclass(frozen=True)
class Full:
    """What a report is made of."""

    results: Results
    table: ScoreTable
    bootstraps: dict[TrialKind, PersonBootstrap]
    embedding: EmbeddingMap


def counted(errors: int, trials: int) -> CountedRate:
    rate = clopper_pearson(errors, trials)
    return CountedRate(
        value=rate.value,
        low=rate.low,
        high=rate.high,
        errors=errors,
        trials=trials,
        clopper_pearson=(rate.low, rate.high),
    )


@pytest.fixture(scope="session")
def hostile() -> str:
    """A name that would be markup, or a formula, where it is not escaped."""
    return HOSTILE


@pytest.fixture(scope="session")
def embedding() -> EmbeddingMap:
    generator = np.random.default_rng(5)
    person = np.repeat(np.arange(-1, 12), 12)
    return EmbeddingMap(
        positions=generator.normal(0, 8, (13, 2))[person + 1] + generator.normal(0, 1, (len(person), 2)),
        person=person,
        is_forgery=np.arange(len(person)) % 4 == 0,
        shown=12,
        people=30,
        samples=len(person),
    )


@pytest.fixture(scope="session")
def full(embedding: EmbeddingMap) -> Full:
    """Every block filled; some probes failed, one person failed to enroll."""
    table = _table()
    bootstraps, blocks = {}, {}
    for kind in (TrialKind.RANDOM, TrialKind.SKILLED):
        genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
        bootstraps[kind] = PersonBootstrap(genuine, impostor, replicates=60)
        blocks[kind.value] = _filled(table, kind, measure(genuine, impostor, bootstraps[kind], fte=0.04))
    return Full(_results(blocks), table, bootstraps, embedding)


@pytest.fixture(scope="session")
def html(full: Full) -> str:
    """The page of all of it."""
    return render_report(full.results, full.table, full.bootstraps, embedding=full.embedding)


def _table() -> ScoreTable:
    """Every person meets the same number of probes of each kind; the first probe of each kind failed."""
    generator = np.random.default_rng(4)
    spread = {TrialKind.GENUINE: (5, 2, 12), TrialKind.RANDOM: (-6, 3, 200), TrialKind.SKILLED: (0, 3, 100)}
    scores = {kind: generator.normal(mean, width, (PEOPLE, each)) for kind, (mean, width, each) in spread.items()}
    for side in scores.values():
        side[0, 0] = -np.inf
    trials = sum(side.size for side in scores.values())
    return ScoreTable(
        people=tuple(f"{HOSTILE}/p{person:02}" for person in range(PEOPLE)),
        samples=tuple(f"{HOSTILE}/{'long_name_' * 8}{sample}" for sample in range(trials)),
        kind=np.repeat(np.arange(3, dtype=np.int8), [scores[kind].size for kind in KINDS]),
        scores=np.concatenate([scores[kind].ravel() for kind in KINDS]),
        claim=np.concatenate([np.repeat(np.arange(PEOPLE, dtype=np.int32), scores[kind].shape[1]) for kind in KINDS]),
        draw=np.zeros(trials, np.int32),
        probe=np.arange(trials, dtype=np.int32),
        model_digest="34" * 32,
        groups={"group_age_band": tuple(("under 40", HOSTILE, "")[at % 3] for at in range(PEOPLE))},
    )


def _filled(table: ScoreTable, kind: TrialKind, block: KindResults) -> KindResults:
    point = block.frr_at_far[0]
    return block.model_copy(
        update={
            "at_development": tuple(
                TransferredPoint(
                    target_far=far,
                    thresholds=(1.25, 1.5),
                    achieved_far=counted(round(1.2 * far * 9_876), 9_876),
                    frr=counted(17, 288),
                    development_impostor=5_432,
                    beyond_evidence=far < 0.01,
                )
                for far in (0.05, 0.01, 0.001)
            ),
            # The second has as many digits as a rate may have.
            "at_policy": tuple(
                PolicyPoint(
                    **{name: getattr(point, name) for name in ("threshold", "fmr", "fnmr", "gfar", "gfrr", "frr")},
                    achieved_far=achieved,
                    target_far=far,
                    beyond_evidence=True,
                )
                for far, achieved in ((0.02, point.achieved_far), (1e-6, counted(3, 20_000_000)))
            ),
            "groups": group_columns(table, kind, replicates=60),
            "person_thresholds": person_thresholds(table.of(TrialKind.GENUINE), table.of(kind), replicates=60),
            "fold_accuracy": FoldAccuracy(
                accuracy=Rate(value=0.9731, low=0.96, high=0.98),
                standard_error=0.0042,
                folds=(0.97, 0.9762),
                thresholds=(1.0, 1.1),
            ),
        }
    )


def _results(blocks: dict[str, KindResults]) -> Results:
    return Results(
        created=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        corpus=CorpusFacts(
            name=f"people {HOSTILE}",
            digest="12" * 32,
            modality=Modality.SIGNATURE,
            people=PEOPLE + 1,
            samples=7_777,
            forgeries=2_400,
            used_in_making_the_model="development",
        ),
        bundle=BundleFacts(
            name=f"model {HOSTILE}",
            model_digest="34" * 32,
            policy=PolicyFacts(
                id="policy-5678",
                impostor="skilled",
                corpus="development people",
                trials=PolicyTrials(genuine=100, impostor=321),
            ),
        ),
        protocol=ProtocolFacts(
            note="as the corpus asks",
            references=5,
            draws=10,
            seed=3,
            split=SplitFacts(rule="half of the people by seed 3", folds=2, development_people=11, test_people=13),
            interval="bootstrap by person",
            confidence=0.95,
            replicates=60,
        ),
        failures=FailureFacts(
            to_acquire=clopper_pearson(3, 7_777),
            samples=3,
            by_reason={"SAMPLE_EMPTY": 3},
            to_enroll=clopper_pearson(1, PEOPLE + 1),
            people_failed=1,
            people_attempted=PEOPLE + 1,
            people_too_few_samples=2,
        ),
        **blocks,
        identification=Identification(
            gallery=PEOPLE,
            searches=288,
            probes=144,
            cmc=tuple(
                RankRate(rank=rank, rate=Rate(value=value, low=value - 0.02, high=min(value + 0.02, 1.0)))
                for rank, value in ((1, 0.951), (2, 0.962), (5, 0.983), (10, 0.994))
            ),
            open_set=tuple(
                OpenSetPoint(
                    fpir=fpir,
                    threshold=2.0,
                    achieved_fpir=counted(round(288 * fpir), 288),
                    fnir=counted(33, 288),
                    beyond_evidence=fpir < 0.1,
                )
                for fpir in (0.2, 0.01)
            ),
        ),
        embedding=EmbeddingQuality(
            queries=288,
            people=PEOPLE,
            precision_at_1=Rate(value=0.9345, low=0.91, high=0.95),
            map_at_r=Rate(value=0.8123, low=0.78, high=0.84),
        ),
        software={"countersign": "0.1.0", "numpy": "2.4.6"},
        command=f"countersign eval run folder:{HOSTILE} --bundle models/signature --out {'long/' * 60}",
    )


@pytest.fixture(scope="session")
def comparison(full: Full) -> str:
    """The page that holds three models side by side, of one kind of impostor; one bears a hostile name."""
    random = full.table.kind != KINDS.index(TrialKind.SKILLED)
    only = {name: getattr(full.table, name)[random] for name in ("kind", "scores", "claim", "draw", "probe")}
    table = replace(full.table, **only)
    noise = np.random.default_rng(6).normal(0, 3, len(table))
    tables = {"first": table, HOSTILE: replace(table, scores=table.scores + noise), "first again": table}
    found = compare(tables, replicates=60, notes=[f"One note of {HOSTILE}."], command=HOSTILE, quiet=True)
    return render_comparison(found.results, found.tables)
