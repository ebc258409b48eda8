"""Score files → results.json, scores.parquet and report.html, as `eval.run` makes of a corpus and a bundle.

Nothing is known of samples and people but what the scores tell. Where they tell no people, trials are taken as
independent, and the results say so.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from encode.errors import FieldInvalid, TrialsError
from eval.files.score_file import read_scores
from eval.files.score_text import read_idiap
from eval.measures.measured_table import measure_table
from eval.plans.splits import Split
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.intervals import CONFIDENCE
from eval.results.kind_results import KindResults
from eval.results.results import BundleFacts, ProtocolFacts, Results, ScoreFacts, SplitFacts
from eval.run import Evaluation
from eval.software import software_versions
from eval.trials import ScoreTable, TrialKind

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20


def open_scores(
    path: Path,
    *,
    kind: TrialKind | None = None,
    model: str | None = None,
    protocol: str | None = None,
    nan_is_failure: bool = False,
) -> ScoreTable:
    """Read a file of scores: Parquet where its name ends so, four or five columns of text otherwise.

    Parameters
    ----------
    kind : of the impostors in text, `random` by default; Parquet tells it itself.
    model, protocol : of Parquet, see `read_scores`; text tells neither.
    nan_is_failure : take NaN as a failure to acquire.

    Raises
    ------
    TrialsError : as `read_scores` and `read_idiap`. FieldInvalid : something was chosen that the file has no say in.
    """
    if path.suffix.lower() == ".parquet":
        if kind is not None:
            raise FieldInvalid("a Parquet file tells the kind of every trial itself", field="impostor_kind")
        return read_scores(path, model=model, protocol=protocol, nan_is_failure=nan_is_failure)
    for field, chosen in (("model", model), ("protocol", protocol)):
        if chosen is not None:
            raise FieldInvalid(f"text names no {field}, so none can be chosen", field=field)
    return read_idiap(path, kind=kind or TrialKind.RANDOM, nan_is_failure=nan_is_failure)


def measure_scores(
    table: ScoreTable,
    files: Sequence[Path],
    *,
    name: str,
    development: ScoreTable | None = None,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
    command: str = "",
) -> Evaluation:
    """Measure scores that somebody else made.

    Parameters
    ----------
    table : the scores.
    files : those that `table` and `development` were read from, for their names and digest.
    name : what to call the model where the scores name none, or name it by digest.
    development : scores of other people by the same model; thresholds are set there and reported here.
    replicates, seed : of the bootstrap.
    command : what repeats the run, for the report.

    Raises
    ------
    TrialsError : as `measure_table`, or a file cannot be read.
    """
    measured = measure_table(table, development=development, replicates=replicates, seed=seed)
    is_digest = _DIGEST.fullmatch(table.model_digest) is not None
    results = Results(
        created=datetime.now(UTC).replace(microsecond=0),
        scores=ScoreFacts(files=tuple(path.name for path in files), digest=_digest(files)),
        bundle=BundleFacts(
            name=name if is_digest or not table.model_digest else table.model_digest,
            model_digest=table.model_digest if is_digest else None,
        ),
        protocol=ProtocolFacts(
            rule="scores",
            note=table.protocol,
            seed=seed,
            split=_split_facts(development, table, measured.blocks.values()),
            interval=measured.interval,
            confidence=CONFIDENCE,
            replicates=replicates,
        ),
        random=measured.blocks.get(TrialKind.RANDOM),
        skilled=measured.blocks.get(TrialKind.SKILLED),
        identification=measured.identification,
        software=software_versions(),
        command=command,
    )
    return Evaluation(results, table, measured)


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 over the bytes of all files, in order."""
    state = hashlib.sha256()
    try:
        for path in files:
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    state.update(block)
    except OSError as error:
        raise TrialsError(f"a file of scores cannot be read: {error.strerror}", field="file") from error
    return state.hexdigest()


def _split_facts(development: ScoreTable | None, test: ScoreTable, blocks: Iterable[KindResults]) -> SplitFacts | None:
    """Who set the thresholds, where the scores tell who was claimed."""
    if development is None:
        used = any(block.at_development for block in blocks)
        return Split(test.splits, "the split column of the scores").facts if used and test.splits else None
    if not development.people or not test.people:
        return None
    people = len(np.unique(development.claim)), len(np.unique(test.claim))
    if min(people) < 2:
        raise TrialsError("the development or the test scores claim fewer than two people", field="development")
    rule = "development scores of their own"
    return SplitFacts(rule=rule, folds=1, development_people=people[0], test_people=people[1])
