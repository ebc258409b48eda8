"""All-versus-all scoring of an embedding file, from the file to results, histogram and report.

embeddings ─ prepare ─→ work ─ tasks ─→ parts ─ merge ─→ sketch ─ measure ─→ results, histogram ─ render ─→ report.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from encode.bundle import Bundle
from enroll.identity import IdentityModel
from eval.allpairs.curves import counted_curves
from eval.allpairs.measure import group_bootstrap, measured
from eval.allpairs.parts import Parts
from eval.allpairs.prepare import Prepared, prepare
from eval.allpairs.rates import Rates
from eval.allpairs.schedule import Task, sketches
from eval.allpairs.sketch import ScoreSketch, merged
from eval.allpairs.task import run_task
from eval.corpora.corpus import Corpus
from eval.facts import corpus_facts, failure_facts, policy_facts
from eval.files.writing import writing
from eval.page.report import FIGURES, Report, write_results
from eval.resampling.bootstrap import DEFAULT_REPLICATES, GroupBootstrap
from eval.resampling.intervals import CONFIDENCE
from eval.results.results import BundleFacts, ProtocolFacts, Results, ScaleFacts
from eval.scoring import Acquired
from eval.software import software_versions
from eval.trials import TrialKind
from verify.policy import Policy

HISTOGRAM = "histogram.parquet"

_SOFTWARE = ("numba", "dask")

Progress = Callable[[int, int], None]
"""Comparisons done, of how many."""


@dataclass(frozen=True)
class AllPairs:
    """How a run is designed and worked on; see `eval.allpairs.prepare` and `eval.allpairs.schedule`."""

    references: int = 1
    draws: int = 1
    seed: int = 0
    tail: int = 100_000
    workers: int = 1
    scheduler: str | None = None


def prepare_corpus(corpus: Corpus, acquired: Acquired, model: IdentityModel, choice: AllPairs) -> Prepared:
    """The run over a corpus's genuine samples, `acquired` being in the order of its rows; forgeries are left out.

    Raises as `eval.allpairs.prepare.prepare`.
    """
    genuine = [index for index, row in enumerate(corpus.rows) if row.kind == "genuine"]
    names = tuple(sorted({corpus.rows[index].person for index in genuine}))
    number = {name: index for index, name in enumerate(names)}
    return prepare(
        model,
        acquired.embeddings[genuine, : model.vector],
        np.array([number[corpus.rows[index].person] for index in genuine], np.int32),
        names,
        acquired.usable[genuine],
        references=choice.references,
        draws=choice.draws,
        seed=choice.seed,
        tail=choice.tail,
    )


def count_all(
    run: Prepared,
    choice: AllPairs,
    *,
    parts: Parts | None = None,
    progress: Progress | None = None,
    task: Task = run_task,
) -> ScoreSketch:
    """Work on every task that no part holds already, keep each, and merge them all.

    Parameters
    ----------
    parts : where to keep finished tasks; None keeps none.
    progress : told after every task; the first time, of what was kept from an earlier run.
    task : as of `eval.allpairs.schedule.sketches`.
    """
    work = run.work
    todo = set(range(work.groups))
    total = sum(work.comparisons(group) for group in todo)

    def every() -> Iterator[ScoreSketch]:
        for sketch in parts.finished() if parts else ():
            todo.difference_update(sketch.groups.tolist())
            yield sketch
        report()
        for sketch in sketches(work, sorted(todo), workers=choice.workers, scheduler=choice.scheduler, task=task):
            if parts:
                parts.write(sketch)
            todo.difference_update(sketch.groups.tolist())
            report()
            yield sketch

    def report() -> None:
        if progress:
            progress(total - sum(work.comparisons(group) for group in todo), total)

    return merged(every())


@dataclass(frozen=True)
class Outcome:
    """What a run found, and the replicates behind its intervals."""

    results: Results
    rates: Rates
    bootstrap: GroupBootstrap

    def report(self) -> Report:
        """The page and its figures."""
        return Report(self.results, curves={TrialKind.RANDOM: counted_curves(self.rates, self.bootstrap)})

    def write(self, out: Path, *, figures: bool = False) -> tuple[Path, ...]:
        """Write results.json, histogram.parquet and report.html into the folder `out`, made if need be.

        With `figures`, also every figure by itself, as SVG and PNG. Raises ConfigError if something cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        genuine, impostor = self.rates.sketch.counts.sum(axis=1)
        edges = self.rates.grid.edges
        histogram = pa.table(
            {
                "low": np.concatenate([[-np.inf], edges[:-1]]),
                "high": edges,
                "genuine": genuine,
                "impostor": impostor,
            }
        )
        report = self.report()
        with writing(out, "the results"):
            pq.write_table(histogram, out / HISTOGRAM, compression="zstd")
            paths = write_results(report, out, beside=HISTOGRAM)
            if figures:
                paths += report.write_figures(out / FIGURES)
        return tuple(paths)


def conclude(
    run: Prepared,
    sketch: ScoreSketch,
    choice: AllPairs,
    *,
    corpus: Corpus,
    acquired: Acquired,
    bundle: Bundle,
    policy: Policy | None = None,
    command: str = "",
    replicates: int = DEFAULT_REPLICATES,
) -> Outcome:
    """The rates of a finished run. Raises TrialsError where a rate cannot be computed."""
    rates = Rates(sketch, run.work.grid)
    bootstrap = group_bootstrap(rates, sketch, run.work, run.templates, replicates=replicates, seed=choice.seed)
    templates = run.templates
    failures = failure_facts(
        acquired,
        attempted=templates.people + templates.failed_to_enroll,
        failed=templates.failed_to_enroll,
        too_few_samples=templates.too_few_samples,
    )
    manifest = bundle.manifest
    results = Results(
        created=datetime.now(UTC).replace(microsecond=0),
        corpus=corpus_facts(corpus, corpus.rows, manifest.modality, manifest.roles),
        bundle=BundleFacts(
            name=manifest.name,
            model_digest=manifest.model_digest,
            policy=policy_facts(policy),
        ),
        protocol=ProtocolFacts(
            rule="all versus all",
            references=choice.references,
            draws=choice.draws,
            seed=choice.seed,
            interval=bootstrap.method,
            confidence=CONFIDENCE,
            replicates=replicates,
        ),
        failures=failures,
        random=measured(rates, run.templates, bootstrap, policy=policy, fte=failures.to_enroll.value),
        scale=ScaleFacts(
            templates=len(run.work.owner),
            samples=len(run.work.features),
            comparisons=sketch.comparisons,
            bins=run.work.grid.bins,
            score_error=run.work.grid.width + run.rounding,
            exact_tail=len(sketch.highest.values),
            groups=run.work.groups,
        ),
        software=software_versions(*_SOFTWARE),
        command=command,
    )
    return Outcome(results, rates, bootstrap)
