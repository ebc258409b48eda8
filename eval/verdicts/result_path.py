"""What a path names in results.json, or in any other JSON of rates.

    name            a member: random.eer
    [key]           of a list of objects the one whose key field (`KEY_FIELDS`) has that value: frr_at_far[0.01];
                    of any other list the one at that position from 0: bins[0]
    at the end      a number stands for itself, a rate {value, low, high} for its value, and a row for the rate that it
                    is there to tell (`TOLD_BY_KEY`): frr_at_far[0.01] for its FRR

The ends of an interval are named as they are written: random.eer.high.
"""

import difflib
import math
from dataclasses import dataclass
from typing import Any

from encode.errors import FieldInvalid
from eval.verdicts.requirement import FIELD, Step, key_number, path_text

KEY_FIELDS = ("column", "group", "name", "target_far", "target_frr", "far", "rank", "fpir")
"""What the objects of a list are told apart by: the first of these that they have."""

TOLD_BY_KEY = {"far": "frr", "target_frr": "achieved_far", "rank": "rate", "fpir": "fnir"}
"""Key field → the rate that a row stands for. Rows of a threshold set beforehand tell two rates: name the one meant."""

_SHARES = ("value", "low", "high", "clopper_pearson")
_SHOWN = 12


@dataclass(frozen=True)
class Found:
    """What a path led to.

    Attributes
    ----------
    value : the number.
    rate : the object {value, low, high} that the number is of; None where it is of none.
    end : the last name on the way within that rate, `value` where the rate itself was named.
    passed : the objects on the way, outermost first, the rate included.
    names : the way, one word for each step: the names, and the key field for a key.
    """

    value: float
    rate: dict[str, Any] | None
    end: str
    passed: tuple[dict[str, Any], ...]
    names: tuple[str, ...]

    @property
    def is_share(self) -> bool:
        """Whether the number is a share in [0, 1], best told in percent."""
        return self.rate is not None and self.end in _SHARES


def find(document: dict[str, Any], steps: tuple[Step, ...]) -> Found:
    """Follow `steps` into `document`. Raises FieldInvalid where they lead nowhere, telling what there is."""
    here: Any = document
    passed: list[dict[str, Any]] = [document]
    names: list[str] = []
    for number, step in enumerate(steps):
        where = path_text(steps[:number]) or "the file"
        here, name = _into_key(here, step.text, where) if step.is_key else _into_name(here, step.text, where)
        names.append(name)
        if isinstance(here, dict):
            passed.append(here)
    where = path_text(steps)
    while isinstance(here, dict) and not _is_rate(here):
        field = _key_field(here)
        told = TOLD_BY_KEY.get(field or "")
        if told is None or told not in here:
            raise _nowhere(f"{where} is a block, not a number", f"go on with one of {_listed(here)}")
        here = here[told]
        names.append(told)
        if isinstance(here, dict):
            passed.append(here)
    if isinstance(here, dict):
        here = here["value"]
        names.append("value")
    if isinstance(here, bool) or not isinstance(here, int | float):
        what = "a list" if isinstance(here, list) else "no number"
        raise _nowhere(f"{where} is {what}", "name one of its entries in brackets" if what == "a list" else None)
    rate = passed[-1] if _is_rate(passed[-1]) else None
    end = next((name for name in reversed(names) if rate is not None and name in rate), "")
    return Found(float(here), rate, end, tuple(passed), tuple(names))


def _into_name(here: Any, name: str, where: str) -> tuple[Any, str]:
    if isinstance(here, dict):
        if name in here:
            return here[name], name
        close = difflib.get_close_matches(name, here, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise _nowhere(f"{where} has no {name}", f"{meant}it has {_listed(here)}")
    if isinstance(here, list):
        raise _nowhere(f"{where} is a list", f"say which of it in brackets: {_keys(here)}")
    raise _nowhere(f"{where} has nothing inside", "end the path there")


def _into_key(here: Any, key: str, where: str) -> tuple[Any, str]:
    if not isinstance(here, list):
        raise _nowhere(f"{where} is no list", "write a name behind a dot")
    field = _key_field(here[0]) if here and isinstance(here[0], dict) else None
    number = key_number(key)
    for position, item in enumerate(here):
        if field is None:
            if key == str(position):
                return item, key
        elif isinstance(item, dict) and _same(item.get(field), key, number):
            return item, field
    raise _nowhere(f"{where} has no [{key}]", f"it has {_keys(here)}")


def _same(value: object, key: str, number: float | None) -> bool:
    if isinstance(value, str):
        return value == key
    return number is not None and isinstance(value, int | float) and math.isclose(value, number, rel_tol=1e-9)


def _is_rate(block: dict[str, Any]) -> bool:
    return {"value", "low", "high"} <= block.keys()


def _key_field(block: dict[str, Any]) -> str | None:
    return next((field for field in KEY_FIELDS if field in block), None)


def _keys(items: list[Any]) -> str:
    field = _key_field(items[0]) if items and isinstance(items[0], dict) else None
    keys = [position if field is None else item.get(field) for position, item in enumerate(items)]
    return _some([f"[{key}]" for key in keys]) or "nothing"


def _listed(block: dict[str, Any]) -> str:
    return _some(sorted(block)) or "nothing"


def _some(words: list[str]) -> str:
    more = [f"and {len(words) - _SHOWN} more"] if len(words) > _SHOWN else []
    return ", ".join([*words[:_SHOWN], *more])


def _nowhere(message: str, fix: str | None) -> FieldInvalid:
    return FieldInvalid(message, field=FIELD, fix=fix)
