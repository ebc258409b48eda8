"""A gate: does what was measured meet what is required? One verdict a requirement, in words for the log of a build.

A requirement that its number meets fails all the same where the number proves nothing: where its row is beyond the
evidence (rule of 30, `verify.policy`), and where the corpus made the model. Either can be accepted on purpose.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encode.errors import FieldInvalid
from eval.page.wording import SPACE, ends, percent
from eval.results.results import RESULTS
from eval.verdicts.requirement import Requirement
from eval.verdicts.result_path import Found, find
from verify.policy import ERRORS_NEEDED

VERSIONS = {"results.json": (1, 2), "fusion.json": (1,), "comparison.json": (1,)}
"""The versions of each kind of file that this release reads."""

_TOLD_BY = {"fusion.json": "pairings", "comparison.json": "models"}
"""A member that only this kind of file has."""

_COUNTED = {"target_frr": "genuine_comparisons", "far": "impostor_comparisons"}
"""What a row was asked for → what its evidence is counted in, among the trials of its block."""

_EVIDENCE = {"target_far": "comparisons of development people", "fpir": "non-mated probes"}


@dataclass(frozen=True)
class Verdict:
    """Whether one requirement is met.

    Attributes
    ----------
    value : what was found; `low` and `high` are the ends of its interval, None where it has none.
    reasons : why the value counts for nothing; empty where it counts.
    accepted : reasons that would be, but were accepted on purpose.
    sentence : all of it in words, beginning with PASS or FAIL.
    """

    requirement: Requirement
    value: float
    low: float | None
    high: float | None
    met: bool
    reasons: tuple[str, ...]
    accepted: tuple[str, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "requirement": self.requirement.text,
            "path": self.requirement.path,
            "comparison": self.requirement.comparison.value,
            "limit": self.requirement.limit,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "met": self.met,
            "reasons": list(self.reasons),
            "accepted": list(self.accepted),
            "sentence": self.sentence,
        }


def read_measured(path: Path) -> dict[str, Any]:
    """The JSON of a run: the file, or results.json of the folder.

    Raises FieldInvalid for what cannot be read, is no such file, or is of a version this release does not know.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        document = json.loads(file.read_bytes(), parse_constant=_no_number)
    except OSError as error:
        raise FieldInvalid(
            f"{file} cannot be read: {error.strerror}", field="results", fix="name a run's folder or its results.json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise FieldInvalid(f"{file.name} is not valid JSON", field="results") from error
    if not isinstance(document, dict):
        raise FieldInvalid(f"{file.name} holds no results", field="results")
    kind = next((kind for kind, member in _TOLD_BY.items() if member in document), RESULTS)
    if document.get("version") not in VERSIONS[kind]:
        known = " or ".join(map(str, VERSIONS[kind]))
        raise FieldInvalid(
            f"{file.name} is version {document.get('version')!r} of {kind}, this release reads version {known}",
            field="results",
            fix="measure again, or use the release that wrote it",
        )
    return document


def judge(
    document: dict[str, Any],
    requirement: Requirement,
    *,
    accept_thin_evidence: bool = False,
    accept_training_data: bool = False,
) -> Verdict:
    """Hold `requirement` against what was measured.

    Raises FieldInvalid where its path leads nowhere, or its limit is one that no rate can miss or none can meet.
    """
    found = find(document, requirement.steps)
    if found.is_share and abs(requirement.limit) > 1:
        raise FieldInvalid(
            f"{requirement.path} is a share, and {requirement.limit:g} of it is {100 * requirement.limit:g} %",
            field="require",
            fix=f"for {requirement.limit:g} % write {requirement.limit:g}%",
        )
    held = requirement.comparison.holds(found.value, requirement.limit)
    thin = [(reason, accept_thin_evidence) for reason in (*_thin_evidence(document, found), *_thin_test(found))]
    flattered = [(reason, accept_training_data) for reason in _training_data(document)]
    reasons = tuple(reason for reason, accept in (*thin, *flattered) if not accept)
    accepted = tuple(reason for reason, accept in (*thin, *flattered) if accept)
    met = held and not reasons
    sentence = f"{'PASS' if met else 'FAIL'} {requirement.path}: {_told(document, requirement, found, held)}"
    if reasons:
        sentence += f"{', but' if held else '; besides,'} {' and '.join(reasons)}"
    if accepted:
        sentence += f"; accepted although {' and '.join(accepted)}"
    # Logs are searched and shown in any encoding's font: plain spaces there.
    plain = sentence.replace(SPACE, " ")
    rate = found.rate if found.end == "value" else None
    low, high = (None, None) if rate is None else (rate["low"], rate["high"])
    return Verdict(requirement, found.value, low, high, met, reasons, accepted, plain)


def _told(document: dict[str, Any], requirement: Requirement, found: Found, held: bool) -> str:
    """`1.85 % (95 % interval 0.92–3.58 %) is at most 2 %`."""
    share = found.is_share or requirement.in_percent
    value, limit = _figures(found.value, requirement.limit, share)
    words = requirement.comparison.met if held else f"{requirement.comparison.missed} the required"
    return f"{value}{_interval(document, found)} {words} {limit}"


def _interval(document: dict[str, Any], found: Found) -> str:
    if found.rate is None:
        return ""
    confidence = document.get("protocol", {}).get("confidence", 0.95)
    interval = f"{100 * confidence:g} % interval"
    if found.end == "value":
        low, high = found.rate["low"], found.rate["high"]
        told = ends(low, high) if low >= 0 else f"{_percent(low)} to {_percent(high)}"
        return f" ({interval} {told})"
    if found.end in ("low", "high"):
        end = "lower" if found.end == "low" else "upper"
        return f" ({end} end of the {interval} of {_percent(found.rate['value'])})"
    return ""


def _figures(value: float, limit: float, share: bool) -> tuple[str, str]:
    """Both numbers as text; the value with more digits where rounding would hide on which side of the limit it is."""
    scale, unit = (100, " %") if share else (1, "")
    short = _percent(value) if share else f"{scale * value:.4g}{unit}"
    shown = float(short.rstrip(f"{SPACE} %")) / scale
    faithful = (shown > limit) == (value > limit) and (shown < limit) == (value < limit)
    return short if faithful else f"{scale * value:.10g}{unit}", f"{scale * limit:.10g}{unit}"


def _percent(share: float) -> str:
    """Differences of rates have a sign."""
    return f"-{percent(-share)}" if share < 0 else percent(share)


def _thin_evidence(document: dict[str, Any], found: Found) -> Iterator[str]:
    for depth, row in enumerate(found.passed):
        if row.get("beyond_evidence") is not True:
            continue
        asked = next((field for field in ("column", "target_far", "target_frr", "far", "fpir") if field in row), None)
        if asked is None or asked == "column":
            yield "a group rests on too few trials: the rule of 30 asks for 30 errors in each"
            continue
        available = _available(document, found.passed[:depth], row, asked)
        has = "" if available is None else f", there are {available:,}"
        noun = _EVIDENCE.get(asked, "comparisons")
        # A hair less, as in `verify.policy`: 30 / 0.001 is a little above 30,000 in binary.
        needed = math.ceil(ERRORS_NEEDED / row[asked] * (1 - 1e-9))
        yield f"it rests on too few {noun}: the rule of 30 needs {needed:,}{has}"


def _thin_test(found: Found) -> Iterator[str]:
    """The FAR of a threshold set beforehand needs as many comparisons of the people measured as setting it does.

    Not so the upper end of its interval, which few comparisons only raise.
    """
    row = next((block for block in found.passed if "target_far" in block), None)
    if row is None or "achieved_far" not in found.names or found.end == "high":
        return
    around: dict[str, int] = next(
        (block["trials"] for block in reversed(found.passed) if isinstance(block.get("trials"), dict)), {}
    )
    # The block's count spans all folds, and the rate's own counts every draw: the lower is nearer.
    available = min(around.get("impostor_comparisons", math.inf), row["achieved_far"].get("trials", math.inf))
    needed = math.ceil(ERRORS_NEEDED / row["target_far"] * (1 - 1e-9))
    if available < needed:
        yield f"too few comparisons show that FAR: the rule of 30 needs {needed:,}, there are {available:,}"


def _available(
    document: dict[str, Any], around: Sequence[dict[str, Any]], row: dict[str, Any], asked: str
) -> int | None:
    """The comparisons that stand behind `row`, where the file tells."""
    count: int | None
    if asked == "target_far":
        policy = document.get("bundle", {}).get("policy") or {}
        count = row.get("development_impostor", policy.get("trials", {}).get("impostor"))
    else:
        trials: dict[str, int] = next((block["trials"] for block in reversed(around) if "trials" in block), {})
        count = trials.get(_COUNTED.get(asked, ""))
    return count


def _training_data(document: dict[str, Any]) -> Iterator[str]:
    role = (document.get("corpus") or {}).get("used_in_making_the_model")
    if role:
        yield f"the corpus was used in the model's {role}, so this is no test"


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
