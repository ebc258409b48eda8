"""What every file of scores is checked for, whatever its format: values that are no scores, and trials given twice."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError

NAN_FIX = "use --nan-fails where NaN means that the probe could not be acquired"
"""What the reader of an error about NaN can do."""


def require_scores(scores: NDArray[np.float64], place: Callable[[int], str], *, field: str) -> None:
    """Raise TrialsError at the first score that is NaN or +inf; `place` says where index i stands in the file."""
    wrong = np.isnan(scores) | np.isposinf(scores)
    if wrong.any():
        first = int(np.argmax(wrong))
        what, advice = ("NaN", NAN_FIX) if np.isnan(scores[first]) else ("+inf", "scores are finite")
        more = f" (and {np.count_nonzero(wrong) - 1} more like it)" if np.count_nonzero(wrong) > 1 else ""
        raise TrialsError(f"{place(first)}: the score is {what}{more}", field=field, fix=advice)


def require_distinct(
    columns: Sequence[NDArray[np.integer]], place: Callable[[int], str], *, field: str, names: str
) -> None:
    """Raise TrialsError where two trials agree in all `columns`, integers (M,) from -1 up; `names` says which they are.

    Repeated trials would count one comparison as several and shorten every interval.
    """
    key = _packed(columns)
    found = np.sort(key)
    if (found[1:] == found[:-1]).any():
        order = np.argsort(key, kind="stable")
        again = key[order[1:]] == key[order[:-1]]
        at = int(np.argmax(again))
        raise TrialsError(
            f"trials occur twice ({np.count_nonzero(again)} rows too many), such as {place(int(order[at]))} and "
            f"{place(int(order[at + 1]))}: the same {names}",
            field=field,
            fix="keep one row a trial; give repeated enrolments different draws",
        )


def _packed(columns: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """One int64 a row, (M,), equal for two rows exactly where all columns are."""
    key, span = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        size = int(column.max(initial=-1)) + 2
        if span * size >= 1 << 62:  # number the keys found so far anew, so that the product stays within 64 bits
            found, key = np.unique(key, return_inverse=True)
            span = len(found)
        key = key * size + (column + np.int64(1))
        span *= size
    return key
