"""Columns of a Parquet table as numpy arrays and back, with errors that name the column and the row.

Names are kept as dictionaries: a code a row, and every name once.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from encode.errors import CountersignError, TrialsError

Indices = NDArray[np.int32]


class Columns:
    """Some columns of one Parquet file, all in memory.

    Parameters
    ----------
    path : of the file.
    required, optional : names of the columns to read; a name that ends in * stands for all that begin so.
    what : what errors call such a file.
    error : what is raised, here and by the methods.

    Raises
    ------
    `error` : `path` is not there, is no Parquet table, lacks a required column, or has no rows.
    """

    def __init__(
        self,
        path: Path,
        required: Sequence[str],
        optional: Sequence[str],
        what: str,
        *,
        error: type[CountersignError] = TrialsError,
    ) -> None:
        self.name, self._error = path.name, error
        wanted = f"columns: {', '.join(required)}; optional: {', '.join(optional)}"
        starts = tuple(name.removesuffix("*") for name in optional if name.endswith("*"))
        if not path.is_file():
            raise error(f"there is no file {path}", field=path.name, fix="check the path")
        try:
            schema = pq.read_schema(path)
            columns = [name for name in schema.names if name in (*required, *optional) or name.startswith(starts)]
            text = [name for name in columns if pa.types.is_string(schema.field(name).type)]
            self._table = pq.read_table(path, columns=columns, read_dictionary=text)
        except (pa.ArrowException, OSError) as problem:
            raise error(f"{path.name} is not {what}", field=path.name, fix=wanted) from problem
        for column in required:
            if column not in self:
                raise error(f"{path.name} is not {what}: it has no column {column!r}", field=path.name, fix=wanted)
        if not len(self):
            raise error(f"{path.name} has no rows", field=path.name)
        self.rows: NDArray[np.int64] = np.arange(len(self))
        self._whole = True

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __contains__(self, column: str) -> bool:
        return column in self.column_names

    @property
    def column_names(self) -> list[str]:
        """Those of `required` and `optional` that the file has, in its order."""
        return list(self._table.column_names)

    def place(self, index: int) -> str:
        """How errors call row `index`: by its number in the file, from 1."""
        return f"row {self.rows[index] + 1}"

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Forget all other rows; those that stay keep their numbers."""
        self._table = self._table.filter(pa.array(chosen))
        self.rows = self.rows[chosen]
        self._whole = False

    def values(self, column: str) -> pa.Array:
        """The column as it is, in one piece."""
        return self._table[column].combine_chunks()

    def numbers(self, column: str, kind: pa.DataType, *, null: Any = None) -> NDArray[Any]:
        """A column as a writable array; empty cells become `null`, or are refused where that is None."""
        values = self.values(column)
        if values.null_count:
            self._require_cells(column, values.is_valid().to_numpy(zero_copy_only=False), null is not None)
            values = pc.fill_null(values, null) if not pa.types.is_null(values.type) else pa.repeat(null, len(self))
        try:
            return np.array(values.cast(kind).to_numpy(zero_copy_only=False))
        except pa.ArrowException as error:
            raise self.wrong(column, f"the column holds {values.type}, not {kind}") from error

    def names(self, column: str, *, nulls: bool = False) -> tuple[Indices, list[str]]:
        """Index of each row's name, int32 (M,), and the names; -1 stands for an empty cell, where `nulls` allows it."""
        values = self.values(column)
        if not pa.types.is_dictionary(values.type):
            try:
                values = values.cast(pa.string()).dictionary_encode()
            except pa.ArrowException as error:
                raise self.wrong(column, f"the column holds {values.type}, not names") from error
        codes = pc.fill_null(values.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
        self._require_cells(column, codes >= 0, nulls)
        names = values.dictionary.cast(pa.string()).to_pylist()
        if not self._whole:  # names of rows that were dropped are nobody's here
            used = np.unique(codes[codes >= 0])
            codes = np.where(codes < 0, codes, np.searchsorted(used, codes)).astype(np.int32)
            names = [names[code] for code in used]
        return codes, names

    def distinct(self, column: str) -> list[str]:
        """The names that occur in the column, sorted, an empty cell as an empty one; none without the column."""
        if column not in self:
            return []
        codes, names = self.names(column, nulls=True)
        return sorted({names[code] if code >= 0 else "" for code in np.unique(codes)})

    def wrong(self, column: str, message: str, *, fix: str | None = None) -> CountersignError:
        """An error about one column."""
        return self._error(message, field=f"{self.name}: {column}", fix=fix)

    def _require_cells(self, column: str, full: NDArray[np.bool_], nulls: bool) -> None:
        if not nulls and not full.all():
            raise self.wrong(column, f"{self.place(int(np.argmin(full)))}: the cell is empty")


def named(codes: NDArray[np.integer], names: Sequence[str]) -> pa.DictionaryArray:
    """A column of names by index; -1 is an empty cell."""
    unknown = codes < 0
    indices = pa.array(codes, pa.int32(), mask=unknown if unknown.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def repeated(name: str, rows: int) -> pa.DictionaryArray:
    """A column that holds one name throughout."""
    return named(np.zeros(rows, np.int32), (name,))


def listed(names: Iterable[str]) -> str:
    """At most ten names in quotation marks."""
    found = list(names)
    return ", ".join(repr(name) for name in found[:10]) + (", …" if len(found) > 10 else "")
