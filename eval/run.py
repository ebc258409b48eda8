"""One evaluation, from corpus to files.

corpus ─ acquire ─→ embeddings ─ derive, score ─→ scores.parquet ─ measure ─→ results.json ─ render ─→ report.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from encode.errors import ConfigError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.drawings.embedding_map import EmbeddingMap, embedding_map
from eval.files.embedding_file import EMBEDDINGS, write_embeddings
from eval.files.embedding_set import as_set
from eval.files.score_file import SCORES, write_scores
from eval.measures.measured_table import MeasuredTable, measure_table
from eval.measures.retrieval import retrieval
from eval.page.report import Report
from eval.plans.plan import Plan
from eval.plans.plan_choice import PlanChoice, Rule
from eval.plans.protocol import Protocol
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.intervals import CONFIDENCE, clopper_pearson
from eval.results.results import (
    BundleFacts,
    CorpusFacts,
    FailureFacts,
    PolicyFacts,
    ProtocolFacts,
    Results,
)
from eval.scoring import Acquired, Scored, score_corpus
from eval.software import software_versions
from eval.trials import ScoreTable, TrialKind
from verify.model import Model
from verify.policy import Policy
from verify.verifier import Verifier

RESULTS, REPORT, FIGURES = "results.json", "report.html", "figures"


@dataclass(frozen=True)
class Evaluation:
    """What a run found.

    Attributes
    ----------
    table : every scored trial.
    measured : the trials that the rates are of, and the replicates behind their intervals.
    scored : samples and embeddings behind the table; None where scores were all there was.
    vector : the first so many values of a row are the embedding.
    """

    results: Results
    table: ScoreTable
    measured: MeasuredTable
    scored: Scored | None = None
    vector: int | None = None

    def write(self, out: Path, *, figures: bool = False, embeddings: bool = False) -> tuple[Path, ...]:
        """Write results.json, scores.parquet and report.html into the folder `out`, made if need be.

        With `figures`, also every figure by itself, as SVG and PNG; with `embeddings`, also embeddings.parquet, where
        there are any. Raises ConfigError if something cannot be written.
        """
        paths = [out / RESULTS, out / SCORES, out / REPORT]
        report = self.report()
        try:
            out.mkdir(parents=True, exist_ok=True)
            paths[0].write_text(self.results.to_json(), encoding="utf-8")
            write_scores(self.table, paths[1])
            paths[2].write_text(report.html(), encoding="utf-8")
            if embeddings and self.scored is not None:
                paths.append(out / EMBEDDINGS)
                held = as_set(self.scored.rows, self.scored.acquired, self.table.model_digest)
                write_embeddings(held, paths[-1])
            if figures:
                paths += report.write_figures(out / FIGURES)
        except OSError as error:
            raise ConfigError(f"the results cannot be written: {error.strerror}", field="out") from error
        return tuple(paths)

    def report(self) -> Report:
        """The page and its figures."""
        return Report(self.results, self.measured.table, self.measured.bootstraps, embedding=self._map())

    def _map(self) -> EmbeddingMap | None:
        if self.scored is None:
            return None
        acquired, plan = self.scored.acquired, self.scored.plan
        return embedding_map(
            acquired.embeddings[:, : self.vector],
            plan.owners,
            plan.sources < 0,
            acquired.usable,
            seed=self.results.protocol.seed,
        )


def evaluate(
    corpus: Corpus,
    verifier: Verifier,
    modality: Modality,
    choice: PlanChoice | Protocol,
    *,
    embedded: Acquired | None = None,
    used_in_making: Mapping[str, str] | None = None,
    command: str = "",
    replicates: int = DEFAULT_REPLICATES,
    quiet: bool = False,
) -> Evaluation:
    """Measure the verifier's model of `modality` on `corpus`.

    Parameters
    ----------
    choice : which trials; a bare protocol stands for references drawn by it.
    embedded : what was acquired of the corpus's rows before, in their order.
    used_in_making : corpus digest → role (`training`, `development`), as the bundle's manifest tells.
    command : what repeats the run, for the report.
    replicates : of the bootstrap.

    Raises
    ------
    As `eval.scoring.score_corpus`; TrialsError if the trials are too few for any rate.
    """
    choice = PlanChoice(protocol=choice) if isinstance(choice, Protocol) else choice
    model = verifier.models[modality]
    scored = score_corpus(corpus, verifier, modality, choice, embedded=embedded, quiet=quiet)
    rows, acquired, plan, table = scored.rows, scored.acquired, scored.plan, scored.table
    failures = _failure_facts(plan, acquired)
    seed = choice.protocol.seed
    measured = measure_table(
        table,
        policy=model.policy,
        fte=failures.to_enroll.value,
        folds_accuracy=choice.rule is Rule.TRIAL_LIST,
        replicates=replicates,
        seed=seed,
    )
    facts = choice.facts()
    results = Results(
        created=datetime.now(UTC).replace(microsecond=0),
        corpus=_corpus_facts(corpus, rows, modality, used_in_making or {}),
        bundle=BundleFacts(name=model.name, model_digest=model.model_digest, policy=_policy_facts(model)),
        protocol=ProtocolFacts(
            **facts,
            reference_rule=_reference_rule(corpus, rows) if facts.get("reference_pool") is None else None,
            split=scored.split and scored.split.facts,
            interval=next(iter(measured.bootstraps.values())).method,
            confidence=CONFIDENCE,
            replicates=replicates,
        ),
        failures=failures,
        random=measured.blocks.get(TrialKind.RANDOM),
        skilled=measured.blocks.get(TrialKind.SKILLED),
        identification=measured.identification,
        embedding=retrieval(
            acquired.embeddings,
            plan.sources,
            acquired.usable,
            vector=model.identity.vector,
            replicates=replicates,
            seed=seed,
        ),
        software=software_versions(),
        command=command,
    )
    return Evaluation(results, table, measured, scored, model.identity.vector)


def _corpus_facts(
    corpus: Corpus, rows: Sequence[Row], modality: Modality, used_in_making: Mapping[str, str]
) -> CorpusFacts:
    forgeries = sum(row.kind == "forgery" for row in rows)
    role = used_in_making.get(corpus.digest)
    return CorpusFacts(
        name=corpus.name,
        digest=corpus.digest,
        modality=modality,
        people=len({row.person for row in rows}),
        samples=len(rows),
        forgeries=forgeries,
        used_in_making_the_model="training" if role == "training" else "development" if role else None,
    )


def _reference_rule(corpus: Corpus, rows: Sequence[Row]) -> str | None:
    """Which samples may be references, in words, where that is not simply any of them."""
    if all(row.may_enroll for row in rows if row.kind == "genuine"):
        return None
    return corpus.reference_rule or "those that the corpus marks"


def _policy_facts(model: Model) -> PolicyFacts | None:
    policy: Policy | None = model.policy
    if policy is None:
        return None
    return PolicyFacts(id=policy.id, impostor=policy.impostor, corpus=policy.corpus.name, trials=policy.trials)


def _failure_facts(plan: Plan, acquired: Acquired) -> FailureFacts:
    failed = len(plan.failed_to_enroll)
    # Of a trial list, people may have one template that failed and another that did not.
    attempted = len({plan.people[claim.person] for claim in plan.claims} | set(plan.failed_to_enroll))
    return FailureFacts(
        to_acquire=clopper_pearson(len(acquired.reasons), len(plan.samples)),
        samples=len(acquired.reasons),
        by_reason=dict(acquired.failures),
        to_enroll=clopper_pearson(failed, attempted),
        people_failed=failed,
        people_attempted=attempted,
        people_too_few_samples=len(plan.too_few_samples),
    )
