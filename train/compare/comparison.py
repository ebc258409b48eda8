"""`countersign train compare`: all runs of a matrix, one after another or several at once, and what comes of them.

    OUT/runs/<recipe>-<seed>/   one run (`train.compare.run_folder`)
    OUT/table.md, results.json, report.html, curves.svg|png, spectra.svg|png

A run that is finished, of the same recipe, seed, people and measures, is kept; one that was killed is continued. The
files of the whole are written again every few minutes, so that an unfinished matrix can be read.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from encode.errors import CountersignError, TrainingError
from eval.files.writing import writing
from eval.software import software_versions
from train.compare.figures import learning_curves, read_curve, spectra
from train.compare.matrix import Matrix, Run
from train.compare.page import PAGE, page
from train.compare.people import People, Setting
from train.compare.results import MATRIX_RESULTS, ComparedRecipe, MatrixResults, RunResult
from train.compare.run import do_run, finished
from train.compare.run_folder import RunFolder
from train.compare.summary import summarise
from train.compare.table import TABLE, table
from train.recipe import Recipe
from train.sealing import Progress
from train.teacher import require_teacher
from train.threads import use_threads

RUNS = "runs"
SECONDS_BETWEEN_FILES = 180.0


@dataclass(frozen=True)
class Comparison:
    """What a matrix has come to so far, and the files that say so."""

    results: MatrixResults
    paths: tuple[Path, ...]


def compare_recipes(
    matrix: Matrix,
    setting: Setting,
    out: Path,
    *,
    against: str | None = None,
    jobs: int = 1,
    threads: int | None = None,
    command: str = "",
    progress: Progress = lambda *_: None,
) -> Comparison:
    """Run what is not finished yet, then write the files of the whole into `out`.

    Parameters
    ----------
    against : label of the recipe that differences are taken from; by default the first.
    jobs : runs at once, each in a process of its own with `threads` threads.

    A run that ends with an error leaves the others alone; it is named in the files and tried again next time.
    Raises TrainingError, CorpusError kinds, ConfigError where `out` cannot be written.
    """
    reference = against or next(iter(matrix.recipes))
    if reference not in matrix.recipes:
        raise TrainingError(
            f"{reference!r} is none of the recipes", field="against", fix=f"one of {', '.join(matrix.recipes)}"
        )
    _require_teacher(matrix, setting)
    people = People(setting, matrix.first)
    found: dict[str, RunResult] = {}
    failures: dict[str, str] = {}
    waiting: list[Run] = []
    for run in matrix.runs:
        kept = finished(run, people, out / RUNS)
        if kept is None:
            waiting.append(run)
        else:
            found[run.name] = kept
    total, before = len(matrix.runs), len(found)
    progress("runs", before, total)

    def written() -> Comparison:
        results = _results(matrix, found, failures, reference, setting, out, command)
        return Comparison(results, _write(results, out))

    last = time.monotonic()
    for number, (run, outcome) in enumerate(_done(waiting, people, out / RUNS, jobs, threads, progress), before + 1):
        if isinstance(outcome, RunResult):
            found[run.name] = outcome
        else:
            failures[run.name] = str(outcome)
        if time.monotonic() - last > SECONDS_BETWEEN_FILES:
            written()
            last = time.monotonic()
        progress("runs", number, total)
    return written()


def _require_teacher(matrix: Matrix, setting: Setting) -> None:
    """Before anything is trained: a file where some recipe has a teacher, and none where no recipe has."""
    taught = next((recipe for recipe in matrix.recipes.values() if recipe.teacher is not None), matrix.first)
    require_teacher(taught.teacher, setting.teacher)


def _done(
    waiting: Sequence[Run], people: People, runs: Path, jobs: int, threads: int | None, progress: Progress
) -> Iterator[tuple[Run, RunResult | CountersignError]]:
    """Every run with what came of it, as they end."""
    if jobs <= 1 or len(waiting) <= 1:
        for run in waiting:
            yield run, _outcome(partial(do_run, run, people, runs, progress))
        return
    # Spawned: a fork would share torch's threads, which do not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(waiting)),
        mp_context=context,
        initializer=_open_people,
        initargs=(people.setting, waiting[0].recipe, threads),
    ) as workers:
        pending = {workers.submit(_run_here, run, runs): run for run in waiting}
        for future in as_completed(pending):
            yield pending[future], _outcome(future.result)


def _outcome(work: Callable[[], RunResult]) -> RunResult | CountersignError:
    try:
        return work()
    except CountersignError as error:
        return error
    except BrokenProcessPool:
        return TrainingError("its process was ended from outside", field="jobs", fix="fewer at once need less memory")


_here: list[People] = []
"""The people of a worker process, opened once for all of its runs."""


def _open_people(setting: Setting, recipe: Recipe, threads: int | None) -> None:
    use_threads(threads or 1)
    _here[:] = [People(setting, recipe)]


def _run_here(run: Run, runs: Path) -> RunResult:
    return do_run(run, _here[0], runs)


def _results(
    matrix: Matrix,
    found: dict[str, RunResult],
    failures: dict[str, str],
    reference: str,
    setting: Setting,
    out: Path,
    command: str,
) -> MatrixResults:
    by_label = {
        label: [run for run in matrix.runs if run.label == label and run.name in found] for label in matrix.recipes
    }
    done = {
        label: [(found[run.name], RunFolder(out / RUNS / run.name).replicates()) for run in runs]
        for label, runs in by_label.items()
    }
    missing = len(matrix.runs) - len(found) - len(failures)
    notes = [f"{missing} of {len(matrix.runs)} runs are not finished yet."] if missing else []
    notes += [f"{name} has collapsed: {one.collapsed}" for name, one in found.items() if one.collapsed]
    return MatrixResults(
        created=datetime.now(UTC).replace(microsecond=0),
        reference=reference,
        seeds=matrix.seeds,
        equal_budget=len({result.samples for result in found.values()}) <= 1,
        notes=tuple(notes),
        failures=tuple(f"{name} failed: {message}" for name, message in failures.items()),
        recipes=tuple(
            ComparedRecipe(label=label, runs=tuple(result for result, _ in runs)) for label, runs in done.items()
        ),
        measures=summarise(done, reference),
        replicates=setting.replicates,
        software=software_versions("torch"),
        command=command,
    )


def _write(results: MatrixResults, out: Path) -> tuple[Path, ...]:
    curves = {
        recipe.label: [
            curve for run in recipe.runs if (curve := read_curve(out / RUNS / f"{recipe.label}-{run.seed}")) is not None
        ]
        for recipe in results.recipes
    }
    drawings = learning_curves(curves), spectra(results.recipes)
    paths = out / TABLE, out / MATRIX_RESULTS, out / PAGE
    with writing(out, "the comparison"):
        paths[0].write_text(table(results), encoding="utf-8")
        paths[1].write_text(results.to_json(), encoding="utf-8")
        paths[2].write_text(page(results, drawings), encoding="utf-8")
        figures = [path for drawing in drawings for path in drawing.save(out)]
    return (*paths, *figures)
