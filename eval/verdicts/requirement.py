"""One requirement of a gate, as it is written: a path into results, a comparison and a limit.

    requirement = path comparison number        spaces around the comparison are free
    path        = name { "." name | "[" key "]" }
    name        = a letter or "_", then letters, digits or "_"
    key         = anything but brackets          skilled.frr_at_far[0.01], or [1%]
    comparison  = "<=" | "<" | ">=" | ">"
    number      = a decimal, such as 0.05 or 5e-2; "%" behind it divides by 100

What a path finds is in `eval.verdicts.result_path`. Nothing is evaluated: whatever is not of this form is refused.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from encode.errors import FieldInvalid

FIELD = "require"

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = re.compile(rf"\s*({_NAME}(?:\.{_NAME}|\[[^\[\]]+\])*)\s*")
_STEP = re.compile(rf"\.?({_NAME})|\[([^\[\]]+)\]")
_COMPARISON = re.compile(r"<=|>=|<|>")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?)\s*(%?)\s*")


class Comparison(StrEnum):
    """How a value is held against the limit, and how a sentence says so."""

    AT_MOST = "<="
    BELOW = "<"
    AT_LEAST = ">="
    ABOVE = ">"

    def holds(self, value: float, limit: float) -> bool:
        """Whether ``value <comparison> limit``."""
        return {"<=": value <= limit, "<": value < limit, ">=": value >= limit, ">": value > limit}[self.value]

    @property
    def met(self) -> str:
        """Goes between value and limit where the requirement holds: `is at most`."""
        return {"<=": "is at most", "<": "is below", ">=": "is at least", ">": "is above"}[self.value]

    @property
    def missed(self) -> str:
        """Goes between value and limit where it does not: `is above`."""
        return {"<=": "is above", "<": "is not below", ">=": "is below", ">": "is not above"}[self.value]


@dataclass(frozen=True)
class Step:
    """One step of a path: a name, or a key in brackets."""

    text: str
    is_key: bool = False

    def __str__(self) -> str:
        return f"[{self.text}]" if self.is_key else self.text


@dataclass(frozen=True)
class Requirement:
    """A parsed requirement.

    Attributes
    ----------
    text : as it was given.
    steps : of the path, at least one, the first a name.
    limit : finite.
    in_percent : whether the limit was written with %, so that the value is told as one too.
    """

    text: str
    steps: tuple[Step, ...]
    comparison: Comparison
    limit: float
    in_percent: bool

    @property
    def path(self) -> str:
        """The path without spaces around it."""
        return path_text(self.steps)


def path_text(steps: tuple[Step, ...]) -> str:
    """``a.b[c].d`` of the steps a, b, [c] and d."""
    return "".join(f"[{step.text}]" if step.is_key else f".{step.text}" for step in steps).removeprefix(".")


def parse_requirement(text: str) -> Requirement:
    """Read one requirement. Raises FieldInvalid, saying what was expected where."""
    path = _PATH.match(text)
    if path is None:
        raise _refused(text, "it must begin with a path such as random.eer")
    comparison = _COMPARISON.match(text, path.end())
    if comparison is None:
        rest = text[path.end() :]
        raise _refused(text, f"after the path {path[1]} comes <=, <, >= or >, not {rest[:20]!r}")
    number = _NUMBER.fullmatch(text, comparison.end())
    if number is None:
        raise _refused(text, f"{text[comparison.end() :].strip()[:20]!r} is no number such as 0.05 or 5%")
    limit = _value(*number.groups())
    if not math.isfinite(limit):
        raise _refused(text, "the number is too large")
    steps = tuple(Step(found[2].strip(), True) if found[2] else Step(found[1]) for found in _STEP.finditer(path[1]))
    return Requirement(text, steps, Comparison(comparison[0]), limit, bool(number[2]))


def key_number(key: str) -> float | None:
    """The number that a key such as ``0.01`` or ``1%`` stands for; None where it is none."""
    number = _NUMBER.fullmatch(key)
    return None if number is None else _value(*number.groups())


def _value(digits: str, percent: str) -> float:
    # By way of decimals, so that 0.7% is the float nearest to 0.007, as in JSON.
    return float(Decimal(digits) / 100 if percent else Decimal(digits))


def _refused(text: str, why: str) -> FieldInvalid:
    return FieldInvalid(
        f"{text!r} is no requirement: {why}", field=FIELD, fix="write for example 'skilled.frr_at_far[0.01] <= 5%'"
    )
