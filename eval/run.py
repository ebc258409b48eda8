"""One evaluation, from corpus to files.

corpus ─ acquire ─→ embeddings ─ derive, score ─→ scores.parquet ─ measure ─→ results.json ─ render ─→ report.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.drawings.embedding_map import EmbeddingMap, embedding_map
from eval.facts import corpus_facts, failure_facts, policy_facts
from eval.files.embedding_file import EMBEDDINGS, write_embeddings
from eval.files.embedding_set import as_set
from eval.files.score_file import SCORES, write_scores
from eval.files.writing import writing
from eval.measures.measured_table import MeasuredTable, measure_table
from eval.measures.retrieval import retrieval
from eval.page.report import FIGURES, Report, write_results
from eval.plans.plan_choice import PlanChoice, Rule
from eval.plans.protocol import Protocol
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.intervals import CONFIDENCE
from eval.results.results import (
    BundleFacts,
    ProtocolFacts,
    Results,
)
from eval.scoring import Acquired, Scored, score_corpus
from eval.software import software_versions
from eval.trials import ScoreTable, TrialKind
from verify.verifier import Verifier


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
        report = self.report()
        with writing(out, "the results"):
            write_scores(self.table, out / SCORES)
            paths = write_results(report, out, beside=SCORES)
            if embeddings and self.scored is not None:
                held = as_set(self.scored.rows, self.scored.acquired, self.table.model_digest)
                paths += write_embeddings(held, out / EMBEDDINGS)
            if figures:
                paths += report.write_figures(out / FIGURES)
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
    failed = len(plan.failed_to_enroll)
    # Of a trial list, people may have one template that failed and another that did not.
    attempted = len({plan.people[claim.person] for claim in plan.claims} | set(plan.failed_to_enroll))
    failures = failure_facts(acquired, attempted=attempted, failed=failed, too_few_samples=len(plan.too_few_samples))
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
        corpus=corpus_facts(corpus, rows, modality, used_in_making or {}),
        bundle=BundleFacts(name=model.name, model_digest=model.model_digest, policy=policy_facts(model.policy)),
        protocol=ProtocolFacts(
            **facts,
            reference_rule=_reference_rule(corpus, rows) if facts.get("reference_pool") is None else None,
            split=scored.split and scored.split.facts,
            interval=measured.interval,
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


def _reference_rule(corpus: Corpus, rows: Sequence[Row]) -> str | None:
    """Which samples may be references, in words, where that is not simply any of them."""
    if all(row.may_enroll for row in rows if row.kind == "genuine"):
        return None
    return corpus.reference_rule or "those that the corpus marks"
