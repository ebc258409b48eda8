"""scores.parquet: every trial of a run, one row each, for anyone who wants to compute a rate their own way.

score         natural-log likelihood ratio, or any score that is higher the more genuine (float64; -inf where `failed`)
kind          genuine, random or skilled               (dictionary of strings)
claim         the person claimed                       (dictionary of strings)
draw          which draw of references                 (int32)
probe         id of the probe sample                   (dictionary of strings)
failed        the probe could not be acquired          (bool)
model_digest  the model that scored it                 (dictionary of one string)
source        the person who made the probe, null where nobody knows
protocol      how the trials came about                (dictionary of one string)
split         part of a split that the claimed person is in
group_*       what is known of the claimed person, for rates by group
source_*      (source_split, source_group_*) the same of who made the probe; written where not all of them are claimed

Reading needs `score` and `kind`. Without `claim` nobody knows who was claimed, and trials can only be taken as
independent; without `draw` there was one; without `probe` every row has its own; without `failed` none failed. `model`
may stand in place of `model_digest` and hold any name.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.files.parquet_columns import Columns, Indices, listed, named, repeated
from eval.files.score_checks import require_distinct, require_scores
from eval.trials import KINDS, ScoreTable

SCORES = "scores.parquet"
"""What a run calls the file in its folder."""

COLUMNS = ("claim", "draw", "probe", "kind", "score", "failed", "model_digest")
REQUIRED = ("score", "kind")
OPTIONAL = (
    "claim",
    "draw",
    "probe",
    "failed",
    "model_digest",
    "model",
    "source",
    "protocol",
    "split",
    "group_*",
    "source_*",
)

_PROTOCOL_FIX = "choose one with --protocol, that of development scores with --development-protocol"


def score_path(path: Path) -> Path:
    """`path`, or the scores.parquet in it if it is the folder of a run."""
    return path / SCORES if path.is_dir() else path


def write_scores(table: ScoreTable, path: Path) -> None:
    """Write `table` to `path`; what it does not tell (people, sources, groups, a split) has no column."""
    columns: dict[str, pa.Array] = {}
    if table.people:
        columns |= {
            "claim": named(table.claim, table.people),
            "draw": pa.array(table.draw, pa.int32()),
            "probe": named(table.probe, table.samples),
        }
    columns |= {
        "kind": named(table.kind, [kind.value for kind in KINDS]),
        "score": pa.array(table.scores, pa.float64()),
        "failed": pa.array(np.isneginf(table.scores)),
        "model_digest": repeated(table.model_digest, len(table)),
    }
    if table.people and table.source is not None:
        columns["source"] = named(table.source, table.people)
    if table.protocol:
        columns["protocol"] = repeated(table.protocol, len(table))
    if table.people:
        of_people = dict(table.groups) | ({"split": table.splits} if table.splits is not None else {})
        for column, values in of_people.items():
            known = sorted(set(values))
            code = np.array([known.index(value) for value in values], dtype=np.int32)
            columns[column] = named(code[table.claim], known)
            if table.source is not None and np.setdiff1d(table.source[table.source >= 0], table.claim).size:
                columns[f"source_{column}"] = named(np.where(table.source < 0, -1, code[table.source]), known)
    # Scores rarely repeat: a dictionary of them would only be built to be thrown away.
    coded = [name for name in columns if name not in ("score", "failed")]
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=coded)


def read_scores(
    path: Path, *, model: str | None = None, protocol: str | None = None, nan_is_failure: bool = False
) -> ScoreTable:
    """Read what `write_scores` wrote, or any table with the columns above.

    Parameters
    ----------
    model, protocol : the one to take where the file holds trials of several.
    nan_is_failure : take NaN and empty cells as failures to acquire; otherwise they are errors in rows not marked so.

    Raises
    ------
    TrialsError : the columns are missing or of other types, a kind is unknown, a score is NaN or +inf in a row that is
        not marked failed, a trial occurs twice, one person has two values of a group, or there are several models or
        protocols and none was chosen.
    """
    columns = Columns(path, REQUIRED, OPTIONAL, "a table of scores")
    model_found = _only(
        columns, "model_digest" if "model_digest" in columns else "model", model, "models", "choose one with --model"
    )
    protocol_found = _only(columns, "protocol", protocol, "protocols", _PROTOCOL_FIX)
    kind = _kinds(columns)
    scores = columns.numbers("score", pa.float64(), null=np.nan)
    if "failed" in columns:
        scores[columns.numbers("failed", pa.bool_())] = -np.inf
    if nan_is_failure:
        scores[np.isnan(scores)] = -np.inf
    require_scores(scores, columns.place, field=f"{path.name}: score")
    draw = columns.numbers("draw", pa.int32()) if "draw" in columns else np.zeros(len(columns), dtype=np.int32)
    nobody = np.full(len(columns), -1, dtype=np.int32)
    claim, people = columns.names("claim") if "claim" in columns else (nobody, [])
    probe, samples = columns.names("probe") if "probe" in columns else (nobody, [])
    if people and samples:
        same = "claim, draw, probe and kind of trial"
        require_distinct((claim, probe, draw, kind), columns.place, field=path.name, names=same)
    elif people:
        probe = np.arange(len(columns), dtype=np.int32)
        samples = [columns.place(index) for index in range(len(columns))]
    source: Indices | None = None
    if people and "source" in columns:
        source, people = _sources(columns, people)
    of_people = {
        column: _of_people(columns, column, claim, source, people)
        for column in columns.column_names
        if people and (column == "split" or column.startswith("group_"))
    }
    return ScoreTable(
        people=tuple(people),
        samples=tuple(samples),
        kind=kind,
        scores=scores,
        claim=claim,
        draw=draw,
        probe=probe,
        model_digest=model_found,
        source=source,
        splits=of_people.pop("split", None),
        groups=of_people,
        protocol=protocol_found,
    )


def _only(columns: Columns, column: str, chosen: str | None, what: str, fix: str) -> str:
    """Keep the rows of one model or protocol; its name, empty where the file names none."""
    found = columns.distinct(column)
    if chosen is None:
        if len(found) > 1:
            holds = f"{columns.name} holds scores of {len(found)} {what}, one is needed: {listed(found)}"
            raise columns.wrong(column, holds, fix=fix)
        return found[0] if found else ""
    if chosen not in found:
        raise columns.wrong(column, f"no scores of {chosen!r}; {what} in the file: {listed(found) or 'none named'}")
    codes, names = columns.names(column, nulls=True)
    columns.keep(np.array([*(name == chosen for name in names), not chosen])[codes])
    return chosen


def _kinds(columns: Columns) -> NDArray[np.int8]:
    codes, names = columns.names("kind")
    known = [kind.value for kind in KINDS]
    # A dictionary may hold names that no row uses: they have no number, and are no error.
    number: NDArray[np.int8] = np.array([known.index(name) if name in known else -1 for name in names], dtype=np.int8)
    kind = number[codes]
    if (kind < 0).any():
        unknown = ", ".join(sorted({names[code] for code in np.unique(codes[kind < 0])})[:10])
        raise TrialsError(
            f"{columns.name} holds trials of unknown kinds: {unknown}",
            field="kind",
            fix=f"kinds are {', '.join(known)}",
        )
    return kind


def _sources(columns: Columns, people: list[str]) -> tuple[Indices, list[str]]:
    """Who made each probe, as indices into people: those claimed, then those who never are."""
    codes, names = columns.names("source", nulls=True)
    number = {person: index for index, person in enumerate(people)}
    for name in names:
        number.setdefault(name, len(number))
    return np.array([*(number[name] for name in names), -1], dtype=np.int32)[codes], list(number)


def _of_people(
    columns: Columns, column: str, claim: Indices, source: Indices | None, people: list[str]
) -> tuple[str, ...]:
    """The value of each of `people`, empty where unknown. Raises TrialsError if a person has two."""
    codes, names = columns.names(column, nulls=True)
    person = claim
    if source is not None and f"source_{column}" in columns:
        further, others = columns.names(f"source_{column}", nulls=True)
        number = {name: index for index, name in enumerate(names)}
        for name in others:
            number.setdefault(name, len(number))
        names, known = list(number), source >= 0
        same = np.array([*(number[name] for name in others), -1], dtype=np.int32)[further[known]]
        codes, person = np.concatenate([codes, same]), np.concatenate([claim, source[known]])
    value = np.full(len(people), -1, dtype=np.int32)
    value[person] = codes
    if (conflict := np.flatnonzero(value[person] != codes)).size:
        raise columns.wrong(column, f"{people[person[conflict[0]]]!r} has two values", fix="a person has one")
    return tuple(names[code] if code >= 0 else "" for code in value)
