"""A score table as text for other tools: the formats of `eval.files.score_text`.

Text holds one kind of impostor, since it does not tell kinds apart. Failures to acquire are written as ``nan``, bob's
convention; a reader that does not know it will refuse the file rather than take a failure for a score.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.files.score_text import UNKNOWN
from eval.files.writing import writing
from eval.trials import IMPOSTOR_KINDS, KINDS, ScoreTable, TrialKind

GENUINE, IMPOSTOR = "genuine.txt", "impostor.txt"
"""What the two plain files are called."""

_ROWS = 1 << 18
"""Lines put together at once."""


def write_idiap(
    table: ScoreTable, path: Path, *, columns: int = 4, kind: TrialKind | None = None, draw: int | None = None
) -> Path:
    """Write the genuine trials and the impostor trials of one kind in four or five columns.

    Parameters
    ----------
    columns : 4, or 5 with a template of each draw (`<claimed>-<draw>`) as model_id.
    kind : of impostor; may be left out where the table holds one.
    draw : the one to write; four columns hold one, so it may be left out there only where the table has one.

    Raises
    ------
    TrialsError : nobody knows who was claimed, there are no such trials, several kinds or draws to choose from, or a
        name holds white space or begins with #. ConfigError : `path` cannot be written.
    """
    if not table.people:
        raise TrialsError("the scores do not tell who was claimed", field="format", fix="export them as plain files")
    rows = _rows(table, _impostor_kind(table, kind), draw)
    claim, number = table.claim[rows], table.draw[rows]
    draws = np.unique(number)
    if columns == 4 and len(draws) > 1:
        raise TrialsError(
            f"four columns cannot tell {len(draws)} draws of references apart",
            field="draw",
            fix=f"choose one of {draws[0]} to {draws[-1]}, or export five columns",
        )
    _require_words(table.people)
    _require_words(table.samples)
    people, samples = pa.array([*table.people, UNKNOWN]), pa.array(table.samples)
    found = [people.take(pa.array(claim))]
    if columns == 5:
        pairs, template = np.unique(claim.astype(np.int64) << 32 | number, return_inverse=True)
        names = pa.array([f"{table.people[pair >> 32]}-{pair & 0xFFFFFFFF}" for pair in pairs])
        found.append(names.take(pa.array(template)))
    found += [
        people.take(pa.array(_real(table, rows))),
        samples.take(pa.array(table.probe[rows])),
        _written(table.scores[rows]),
    ]
    _write(found, path)
    return path


def write_plain(
    table: ScoreTable, folder: Path, *, kind: TrialKind | None = None, draw: int | None = None
) -> tuple[Path, Path]:
    """Write genuine.txt and impostor.txt, one score a line, into `folder`, made if need be. Raises as `write_idiap`."""
    chosen = _impostor_kind(table, kind)
    rows = _rows(table, chosen, draw)
    genuine = table.kind[rows] == KINDS.index(TrialKind.GENUINE)
    paths = folder / GENUINE, folder / IMPOSTOR
    for path, side in zip(paths, (rows[genuine], rows[~genuine]), strict=True):
        _write([_written(table.scores[side])], path)
    return paths


def _impostor_kind(table: ScoreTable, kind: TrialKind | None) -> TrialKind:
    present = [known for known in IMPOSTOR_KINDS if table.counts[known]]
    if kind is None and len(present) > 1:
        raise TrialsError(
            "text does not tell random from skilled impostors", field="kind", fix="choose one with --kind"
        )
    if not present or (kind is not None and kind not in present):
        raise TrialsError(f"there are no {kind.value if kind else 'impostor'} trials", field="kind")
    return kind or present[0]


def _rows(table: ScoreTable, kind: TrialKind, draw: int | None) -> NDArray[np.int64]:
    """Indices of the genuine trials and those of `kind`, in the table's order."""
    chosen = (table.kind == KINDS.index(TrialKind.GENUINE)) | (table.kind == KINDS.index(kind))
    if draw is not None:
        chosen &= table.draw == draw
    rows = np.flatnonzero(chosen)
    found = set(np.unique(table.kind[rows]).tolist())
    for needed in (TrialKind.GENUINE, kind):
        if KINDS.index(needed) not in found:
            where = "" if draw is None else f" of draw {draw}"
            raise TrialsError(f"there are no {needed.value} trials{where}", field="kind" if draw is None else "draw")
    return rows


def _real(table: ScoreTable, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Index of who made each probe, that of `UNKNOWN` behind all people where nobody knows."""
    claim = table.claim[rows]
    genuine = table.kind[rows] == KINDS.index(TrialKind.GENUINE)
    source = np.full(len(rows), -1, np.int32) if table.source is None else table.source[rows]
    if (mixed := np.flatnonzero(~genuine & (source == claim))).size:
        raise TrialsError(
            f"an impostor trial against {table.people[claim[mixed[0]]]!r} names the claimed person as its source, "
            "which text would make genuine",
            field="source",
        )
    return np.where(genuine, claim, np.where(source < 0, len(table.people), source)).astype(np.int32)


def _require_words(names: tuple[str, ...]) -> None:
    for name in names:
        if name.startswith("#") or name.encode().split() != [name.encode()]:
            raise TrialsError(
                f"{name!r} is no single word, as columns of text need", fix="rename it, or export plain files"
            )


def _written(scores: NDArray[np.float64]) -> pa.Array:
    return pa.array(np.where(np.isneginf(scores), np.nan, scores))


def _write(columns: list[pa.Array], path: Path) -> None:
    """One line a row, the columns' texts between single spaces."""
    with writing(path.parent, path.name), path.open("wb") as stream:
        for start in range(0, len(columns[0]), _ROWS):
            texts = [column.slice(start, _ROWS).cast(pa.string()) for column in columns]
            lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*texts, " "), "", "\n")
            stream.write(lines.buffers()[2])  # the bytes of all strings, one behind the other
