"""Columns of words with a score at the end, one trial a line, as pyarrow reads them: 10⁷ lines in seconds.

Words stand between single spaces in nearly every file, and those are read at once. Where that fails (several spaces or
tabs, comments from a # to the line's end, or a mistake) the lines are read one by one, which tolerates what can be
tolerated and names the line of what cannot. Blank lines count in line numbers and for nothing else.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from encode.errors import TrialsError
from eval.files.score_checks import require_scores

_BLOCK = 16 << 20


@dataclass(frozen=True)
class Words:
    """One column of words: `names[codes[i]]` stands in trial i; codes int32 (M,), names in order of appearance."""

    codes: NDArray[np.int32]
    names: list[str]


@dataclass(frozen=True)
class TextColumns:
    """The columns of a file: words first, then the scores, float64 (M,), -inf for a failure to acquire."""

    words: tuple[Words, ...]
    scores: NDArray[np.float64]


def read_columns(path: Path, meant: tuple[int, ...], *, nan_is_failure: bool, fix: str) -> TextColumns:
    """Read a file whose lines hold one of the numbers of columns `meant`, all the same.

    Parameters
    ----------
    nan_is_failure : take NaN as a failure to acquire, which is rejected at every threshold; otherwise NaN is an error.
    fix : what the reader of an error about the number of columns can do.

    Raises
    ------
    TrialsError : no file, no trials, another number of columns, a word or +inf where a score is meant, NaN.
    """
    try:
        columns = _count_columns(path, meant, fix)
        found = _read_at_once(path, columns) or _read_lines(path, columns)
    except OSError as error:
        raise TrialsError(f"{path.name} cannot be read: {error.strerror}", field=path.name) from error
    if nan_is_failure:
        found.scores[np.isnan(found.scores)] = -np.inf
    require_scores(found.scores, lambda index: f"line {_line_of(path, index)}", field=path.name)
    return found


def _lines(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Number, from 1, and words of every line that has any, without comments."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            words = line.removeprefix(b"\xef\xbb\xbf").split() if number == 1 else line.split()
            if b"#" in line:
                words = words[: next((at for at, word in enumerate(words) if word.startswith(b"#")), None)]
            if words:
                yield number, words


def _count_columns(path: Path, meant: tuple[int, ...], fix: str) -> int:
    for number, words in _lines(path):
        if len(words) not in meant:
            wanted = " or ".join(map(str, meant))
            raise TrialsError(
                f"line {number}: {len(words)} columns where {wanted} {'are' if meant != (1,) else 'is'} meant",
                field=path.name,
                fix=fix,
            )
        return len(words)
    raise TrialsError("the file holds no scores", field=path.name)


def _read_at_once(path: Path, columns: int) -> TextColumns | None:
    """The columns, or None where the file is not as plain as pyarrow needs it."""
    names = [f"column {index}" for index in range(columns)]
    types = dict.fromkeys(names[:-1], pa.dictionary(pa.int32(), pa.string())) | {names[-1]: pa.float64()}
    try:
        with pa.OSFile(str(path)) as stream:
            table = csv.read_csv(
                stream,
                csv.ReadOptions(column_names=names, block_size=_BLOCK),
                csv.ParseOptions(delimiter=" ", quote_char=False, double_quote=False),
                csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
            )
    except pa.ArrowInvalid:
        return None
    words = []
    for column in table.itercolumns():
        if pa.types.is_dictionary(column.type):
            merged = column.combine_chunks()
            words.append(Words(merged.indices.to_numpy(zero_copy_only=False), merged.dictionary.to_pylist()))
    if any(not name or name.startswith("#") for column in words for name in column.names):
        return None  # two spaces, or a comment of as many words as there are columns
    return TextColumns(tuple(words), np.array(table[names[-1]].combine_chunks().to_numpy(zero_copy_only=False)))


def _read_lines(path: Path, columns: int) -> TextColumns:
    """The columns, line by line; about a microsecond a word."""
    codes = [array("i") for _ in range(columns - 1)]
    numbers: list[dict[bytes, int]] = [{} for _ in range(columns - 1)]
    scores = array("d")
    for line, words in _lines(path):
        if len(words) != columns:
            raise TrialsError(
                f"line {line}: {len(words)} columns where the lines before have {columns}", field=path.name
            )
        try:
            # Python reads 1_0 as ten; no writer of scores means that.
            scores.append(float(words[-1]) if b"_" not in words[-1] else float("word"))
        except ValueError as error:
            raise TrialsError(
                f"line {line}: the last column is a word where a score is meant", field=path.name
            ) from error
        for column, known, word in zip(codes, numbers, words, strict=False):
            column.append(known.setdefault(word, len(known)))
    try:
        names = [[word.decode() for word in known] for known in numbers]
    except UnicodeDecodeError as error:
        raise TrialsError("a name is not UTF-8 text", field=path.name) from error
    arrays = (np.frombuffer(column, np.int32) for column in codes)
    return TextColumns(
        tuple(Words(column, known) for column, known in zip(arrays, names, strict=True)),
        np.array(np.frombuffer(scores, np.float64)),
    )


def _line_of(path: Path, trial: int) -> int:
    """The number of the line that holds trial `trial`, counted from 0."""
    return next(line for index, (line, _) in enumerate(_lines(path)) if index == trial)
