"""The numbers of a file of embeddings: the list column of a Parquet table, or an .npy array."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from encode.errors import CorpusInvalid

EMBEDDING = "embedding"
"""The column that holds a list of numbers a row."""

_ROWS = 4096
"""Rows read at once."""

Floats = NDArray[np.float32]


def table_vectors(path: Path, acquired: Sequence[bool]) -> Floats:
    """The embeddings of a Parquet table, float32 (N, D), in memory.

    Parameters
    ----------
    acquired : bool (N,), or empty for all; the rows of others are zero, whatever the table holds.

    Raises
    ------
    CorpusInvalid : the column is missing or of another type, or a row lacks a value or has more or fewer than others.
    """
    pieces: list[tuple[NDArray[np.int64], Floats]] = []
    start = 0
    try:
        with pq.ParquetFile(path) as file:
            if EMBEDDING not in file.schema_arrow.names:
                raise CorpusInvalid("the column is missing", field=EMBEDDING, fix="it holds a list of numbers a row")
            kind = file.schema_arrow.field(EMBEDDING).type
            if not _holds_numbers(kind):
                raise CorpusInvalid(f"the column holds {kind}, not lists of numbers", field=EMBEDDING)
            for batch in file.iter_batches(batch_size=_ROWS, columns=[EMBEDDING]):
                wanted = np.array(acquired[start : start + len(batch)] or [True] * len(batch))
                rows = start + np.flatnonzero(wanted)
                start += len(batch)
                if len(rows):
                    chosen = batch.column(0).filter(pa.array(wanted))
                    pieces.append((rows, _matrix(chosen, rows, pieces[0][1].shape[1] if pieces else None)))
    except (pa.ArrowException, OSError) as error:
        raise CorpusInvalid("the embeddings cannot be read", field=path.name) from error
    if not pieces:
        raise CorpusInvalid("there are no embeddings", field=path.name)
    vectors = np.zeros((start, pieces[0][1].shape[1]), dtype=np.float32)
    for rows, piece in pieces:
        vectors[rows] = piece
    return vectors


def mapped_array(path: Path) -> Floats:
    """The array of an .npy file, float32 (N, D), from disk where it is float32; changes to it never reach the file.

    Raises CorpusInvalid for anything but a matrix of real numbers.
    """
    try:
        found = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorpusInvalid("the file is not an array of numbers", field=path.name) from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        raise CorpusInvalid("the array is not one row of real numbers a sample", field=path.name)
    return found if found.dtype == np.float32 else _rounded(found)


def _matrix(column: pa.Array, rows: NDArray[np.int64], size: int | None) -> Floats:
    """Lists of `size` numbers, or of as many as the first has; `rows` are their places in the file."""

    def wrong(at: int, what: str, fix: str | None = None) -> CorpusInvalid:
        return CorpusInvalid(what, field=f"row {rows[at] + 1}: {EMBEDDING}", fix=fix)

    if column.null_count:
        at = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise wrong(at, "the cell is empty", "say why in a column failed")
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    size = int(lengths[0]) if size is None else size
    if (lengths != size).any():
        at = int(np.argmax(lengths != size))
        raise wrong(at, f"{lengths[at]} values, where the rows before have {size}")
    if not size:
        raise wrong(0, "there are no values")
    values = column.flatten()
    if values.null_count:
        raise wrong(int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // size, "a value is missing")
    return _rounded(values.to_numpy(zero_copy_only=False)).reshape(-1, size)


def _rounded(values: NDArray[Any]) -> Floats:
    """As float32; what is too large for it becomes infinite, which no set of embeddings takes."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _holds_numbers(kind: Any) -> bool:
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(listed) and bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
