"""One evaluation, from corpus to files.

corpus ─ acquire ─→ embeddings ─ derive, score ─→ scores.parquet ─ measure ─→ results.json ─ render ─→ report.html
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from encode.errors import ConfigError, TrialsError
from encode.sample import Modality
from eval.bootstrap import DEFAULT_REPLICATES, METHOD, PersonBootstrap
from eval.corpora.corpus import Corpus, Row
from eval.intervals import CONFIDENCE, clopper_pearson
from eval.kind_results import KindResults
from eval.protocol import Plan, Protocol
from eval.rates import measure
from eval.report import render_report
from eval.results import (
    BundleFacts,
    CorpusFacts,
    FailureFacts,
    PolicyFacts,
    ProtocolFacts,
    Results,
)
from eval.score_file import SCORES, write_scores
from eval.scoring import Acquired, score_corpus
from eval.trials import IMPOSTOR_KINDS, ScoreTable, TrialKind
from verify.model import Model
from verify.policy import Policy
from verify.verifier import Verifier

RESULTS, REPORT = "results.json", "report.html"

_SOFTWARE = ("countersign", "numpy", "scipy", "pillow", "onnxruntime", "onnxruntime-gpu", "scikit-learn", "pyarrow")


@dataclass(frozen=True)
class Evaluation:
    """What a run found: `bootstraps` holds the replicates behind the intervals of each kind of impostor."""

    results: Results
    table: ScoreTable
    bootstraps: Mapping[TrialKind, PersonBootstrap]

    def write(self, out: Path) -> tuple[Path, Path, Path]:
        """Write results.json, scores.parquet and report.html into the folder `out`, made if need be.

        Raises ConfigError if it cannot be written.
        """
        paths = out / RESULTS, out / SCORES, out / REPORT
        try:
            out.mkdir(parents=True, exist_ok=True)
            paths[0].write_text(self.results.to_json(), encoding="utf-8")
            write_scores(self.table, paths[1])
            paths[2].write_text(render_report(self.results, self.table, self.bootstraps), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"the results cannot be written: {error.strerror}", field="out") from error
        return paths


def evaluate(
    corpus: Corpus,
    verifier: Verifier,
    modality: Modality,
    protocol: Protocol,
    *,
    used_in_making: Mapping[str, str] | None = None,
    command: str = "",
    replicates: int = DEFAULT_REPLICATES,
    quiet: bool = False,
) -> Evaluation:
    """Measure the verifier's model of `modality` on `corpus`.

    Parameters
    ----------
    used_in_making : corpus digest → role (`training`, `development`), as the bundle's manifest tells.
    command : what repeats the run, for the report.
    replicates : of the bootstrap.

    Raises
    ------
    CorpusInvalid if no row is of the modality; TrialsError if the samples are too few for any rate.
    """
    model = verifier.models[modality]
    scored = score_corpus(corpus, verifier, modality, protocol, quiet=quiet)
    rows, acquired, plan, table = scored.rows, scored.acquired, scored.plan, scored.table
    bootstraps: dict[TrialKind, PersonBootstrap] = {}
    blocks: dict[TrialKind, KindResults] = {}
    for kind in IMPOSTOR_KINDS:
        if table.counts[kind]:
            genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
            bootstraps[kind] = PersonBootstrap(genuine, impostor, replicates=replicates, seed=protocol.seed)
            blocks[kind] = measure(genuine, impostor, bootstraps[kind], policy=model.policy)
    if not blocks:
        raise TrialsError("the corpus gives no impostor trials", fix="use a corpus of at least two people")
    results = Results(
        created=datetime.now(UTC).replace(microsecond=0),
        corpus=_corpus_facts(corpus, rows, modality, used_in_making or {}),
        bundle=BundleFacts(name=model.name, model_digest=model.model_digest, policy=_policy_facts(model)),
        protocol=ProtocolFacts(
            references=protocol.references,
            draws=protocol.draws,
            seed=protocol.seed,
            reference_pool=protocol.reference_pool,
            reference_rule=_reference_rule(corpus, rows) if protocol.reference_pool is None else None,
            impostors_per_person=protocol.impostors_per_person,
            impostor_samples=protocol.impostor_samples,
            interval=METHOD,
            confidence=CONFIDENCE,
            replicates=replicates,
        ),
        failures=_failure_facts(plan, acquired),
        random=blocks.get(TrialKind.RANDOM),
        skilled=blocks.get(TrialKind.SKILLED),
        software=software_versions(),
        command=command,
    )
    return Evaluation(results, table, bootstraps)


def software_versions() -> dict[str, str]:
    """Name → version of what the numbers may depend on."""
    found = {"python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # only one of the two onnxruntime builds is ever installed
    return found


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
    claimed, failed = len({claim.person for claim in plan.claims}), len(plan.failed_to_enroll)
    return FailureFacts(
        to_acquire=clopper_pearson(len(acquired.reasons), len(plan.samples)),
        samples=len(acquired.reasons),
        by_reason=dict(acquired.failures),
        to_enroll=clopper_pearson(failed, claimed + failed),
        people_failed=failed,
        people_attempted=claimed + failed,
        people_too_few_samples=len(plan.too_few_samples),
    )
