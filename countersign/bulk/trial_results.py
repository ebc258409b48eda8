"""What was decided of a list of claims, as a table.

    .csv       every decision, one row a claim: the columns below
    .parquet   the scores of claims whose `kind` is known, for `countersign eval scores`; needs the extra `eval`

A claim none of whose samples could be used is a failure to acquire, which counts as rejected: its score is empty in
CSV, and in Parquet -inf with `failed` set. Claims that could not be decided for another reason are in neither.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from encode.errors import ConfigError, FieldMissing


@dataclass(frozen=True, slots=True)
class Decided:
    """One claim. `score` is its natural-log likelihood ratio; None where no sample could be used."""

    trial: str
    person: str
    probe: str
    kind: str
    source: str
    accepted: bool
    failed: bool
    score: float | None
    probability: float | None
    threshold: float | None
    target_far: float | None
    policy_id: str
    model_digest: str


COLUMNS = tuple(one.name for one in fields(Decided))


def require_results(file: Path, *, kinds: bool) -> None:
    """Raise ConfigError or FieldMissing unless results can be written to `file`; `kinds` if every trial has one."""
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(f"{file.name} ends neither in .csv nor in .parquet", field="out", fix="name it so")
    if not file.parent.is_dir():
        raise ConfigError(f"there is no folder {file.parent}", field="out", fix="make it first")
    if file.suffix.lower() == ".parquet" and not kinds:
        raise FieldMissing(
            "scores need the kind of every trial",
            field="kind",
            fix="add the column kind (genuine, random or skilled), or write .csv",
        )


def write_results(decided: Sequence[Decided], file: Path) -> None:
    """Write `decided`, in its order."""
    if file.suffix.lower() == ".parquet":
        _write_scores(decided, file)
        return
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in decided:
            cells = asdict(one)
            writer.writerow({name: _cell(value) for name, value in cells.items()})


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _write_scores(decided: Sequence[Decided], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    digests = {one.model_digest for one in decided if not one.failed}
    # A failure has met no model: it counts for the one that decided the others.
    of_failures = digests.pop() if len(digests) == 1 else ""
    columns = {
        "claim": [one.person for one in decided],
        "probe": [one.probe for one in decided],
        "kind": [one.kind for one in decided],
        "score": [-math.inf if one.score is None else one.score for one in decided],
        "failed": [one.failed for one in decided],
        "model_digest": [of_failures if one.failed else one.model_digest for one in decided],
    }
    if any(one.source for one in decided):
        columns["source"] = [one.source or None for one in decided]
    words = ("claim", "probe", "kind", "model_digest", "source")
    arrays = {
        name: pa.array(values).dictionary_encode() if name in words else pa.array(values)
        for name, values in columns.items()
    }
    pq.write_table(pa.table(arrays), file)
