"""The table that goes with embeddings, as text in cells → an `EmbeddingSet`, whatever file it was read from."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid
from encode.sample import Modality
from eval.corpora.corpus import Kind
from eval.corpora.table import whole_number
from eval.files.embedding_set import FAILED, EmbeddingSet

OPTIONAL = ("kind", "order", "session", "split", "failed", "modality", "model_digest", "group_*")

NOT_FAILED = ("", "false")
"""Cells of the column `failed` that say that the sample was acquired."""

_FAILED_WITHOUT_REASON = ("true", "1")

T = TypeVar("T")

Cells = Mapping[str, Sequence[str]]


def embedding_set(cells: Cells, embeddings: NDArray[np.float32], *, modality: Modality) -> EmbeddingSet:
    """The set that the columns `cells` (all of one length, `person` among them) and `embeddings` make.

    Rows without a sample column are called by their number, so that their order is kept. `modality` is taken where the
    cells tell none. Embeddings of failed samples are set to zero. Raises CorpusInvalid with the row and the column at
    fault.
    """
    people = cells["person"]
    if len(people) != len(embeddings):
        raise CorpusInvalid(
            f"{len(people)} people for {len(embeddings)} embeddings", field="person", fix="one row a sample, in order"
        )
    for column in ("sample", "person"):
        for index, cell in enumerate(cells.get(column, ())):
            if not cell.strip():
                raise CorpusInvalid("the cell is empty", field=f"row {index + 1}: {column}")
    reasons = {
        index: FAILED if cell.lower() in _FAILED_WITHOUT_REASON else cell
        for index, cell in enumerate(cells.get("failed", ()))
        if cell.lower() not in NOT_FAILED
    }
    failed = np.array(sorted(reasons), dtype=np.int64)
    if failed.size and np.any(embeddings[failed] != 0):
        embeddings[failed] = 0
    digest = _constant(cells, "model_digest")
    return EmbeddingSet(
        samples=cells.get("sample") or [f"row-{index + 1:08}" for index in range(len(people))],
        people=people,
        kinds=[_kind(cell, index) for index, cell in enumerate(cells.get("kind") or [""] * len(people))],
        modality=_modality(_constant(cells, "modality")) or modality,
        embeddings=embeddings,
        reasons=reasons,
        groups={column: values for column, values in cells.items() if column.startswith("group_")},
        orders=_filled([_order(cell, index) for index, cell in enumerate(cells.get("order", ()))]),
        sessions=_filled([cell or None for cell in cells.get("session", ())]),
        splits=_filled([cell or None for cell in cells.get("split", ())]),
        model_digest=digest,
    )


def _filled(values: Sequence[T | None]) -> Sequence[T | None] | None:
    """The column, or None where no cell holds anything."""
    return values if any(value is not None for value in values) else None


def _kind(cell: str, index: int) -> Kind:
    if cell not in ("", *get_args(Kind)):
        raise CorpusInvalid(f"{cell!r} is not a kind", field=f"row {index + 1}: kind", fix="use genuine or forgery")
    return "forgery" if cell == "forgery" else "genuine"


def _order(cell: str, index: int) -> int | None:
    return whole_number(cell, f"row {index + 1}: order") if cell else None


def _modality(cell: str) -> Modality | None:
    if cell not in ("", *Modality):
        raise CorpusInvalid(f"{cell!r} is not a modality", field="modality", fix="use face or signature")
    return Modality(cell) if cell else None


def _constant(cells: Cells, column: str) -> str:
    found = sorted(set(cells.get(column, ())))
    if len(found) > 1:
        raise CorpusInvalid(f"{len(found)} values where one is meant for all rows", field=column)
    return found[0] if found else ""
