"""The decision policy: which score is enough for which false-accept rate, and on what evidence.

A policy is measured once, by the evaluator, for one model on one corpus of people the model was not trained on:

    accept  iff  score >= threshold(target FAR),      score = log p(x | person) − log p(x | everyone else)

`policy.json` is this module's :class:`Policy` as JSON. The service never takes a threshold from a caller: a request
names a target FAR of the table, or none for the default.

Rule of 30 (Doddington et al. 2000, *The NIST speaker recognition evaluation*, section 5.4): to be 90 % sure that the
true error lies within ±30 % of the observed one, at least 30 errors must have been seen. A row whose target FAR would
have given fewer than 30 false accepts over the policy's impostor trials is *beyond the evidence*, and every decision
taken on it says so.
"""

import hashlib
import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from encode.errors import BundleCorrupt, PolicyMismatch, TargetFarUnavailable
from encode.sample import Modality
from verify.score_summary import PolicyScores

ERRORS_NEEDED = 30  # Doddington's rule of 30
DEFAULT_TARGET_FAR = 0.001
GAIN_SHARE = 0.5
"""How much of the way to the next larger target FAR adaptation may go (docs/decisions/0015-adaptation.md says why)."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
TargetFar = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]


class _Part(BaseModel):
    """Immutable and exact: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Part):
    """An error rate in [0, 1] with the ends of its confidence interval, ``low <= value <= high``."""

    value: Fraction
    low: Fraction
    high: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"a rate lies inside its interval: {self.low} <= {self.value} <= {self.high} does not hold"
            )
        return self


class PolicyInterval(_Part):
    """How the intervals were computed, e.g. ``bootstrap by person``, and their confidence (0.95)."""

    method: Annotated[str, Field(min_length=1)]
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95


class PolicyCorpus(_Part):
    """The people the thresholds were measured on. ``development``: never trained on, never reported as a test."""

    name: Annotated[str, Field(min_length=1)]
    digest: Digest
    people: Annotated[int, Field(ge=2)]
    role: Literal["development"] = "development"


class PolicyTrials(_Part):
    """How many comparisons stand behind every rate of the table."""

    genuine: Annotated[int, Field(ge=1)]
    impostor: Annotated[int, Field(ge=1)]


class PolicyRow(_Part):
    """One target FAR, the score that meets it, and what that score achieved on the policy's corpus.

    `threshold` is a natural-log likelihood ratio; accept iff score >= threshold.
    """

    target_far: TargetFar
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    achieved_far: Rate
    frr: Rate

    def beyond_evidence(self, impostor_trials: int) -> bool:
        """Whether `impostor_trials` are fewer than 30 / target FAR."""
        # 30 / 0.001 is 30000.000000000004 on some platforms' rounding of 0.001: compare with a hair of slack.
        return impostor_trials * self.target_far < ERRORS_NEEDED * (1 - 1e-9)


def row_of(table: Sequence[PolicyRow], target_far: float | None, default: float) -> PolicyRow:
    """The row of `target_far`, a fraction such as 0.001; None takes the row of `default`, which must be there.

    Raises
    ------
    TargetFarUnavailable : the table has no such row; the error lists those it has.
    """
    wanted = default if target_far is None else target_far
    row = find_row(table, wanted)
    if row is None:
        available = ", ".join(f"{one.target_far:g}" for one in table)
        raise TargetFarUnavailable(
            f"the policy holds no threshold for a target FAR of {wanted:g}",
            field="target_far",
            fix=f"ask for one of {available}, or leave it out for {default:g}",
        )
    return row


def find_row(table: Sequence[PolicyRow], target_far: float) -> PolicyRow | None:
    """The row for a target FAR, equal up to rounding; None if there is none."""
    return next((row for row in table if math.isclose(row.target_far, target_far, rel_tol=1e-9)), None)


class Policy(_Part):
    """Thresholds per target FAR for one model, with the evidence behind them.

    `impostor` says which kind the rates are of; kinds are never pooled. `scores` sums up the development scores, and is
    None in policies from before there was a second modality to fuse with.
    """

    version: Literal[1] = 1
    modality: Modality
    model_digest: Digest
    created: datetime
    corpus: PolicyCorpus
    impostor: Literal["random", "skilled"] = "random"
    references: Annotated[int, Field(ge=1)] = 5
    trials: PolicyTrials
    interval: PolicyInterval
    table: Annotated[tuple[PolicyRow, ...], Field(min_length=1)]
    default_target_far: TargetFar = DEFAULT_TARGET_FAR
    scores: PolicyScores | None = None

    @field_validator("created")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("the time of creation carries no time zone")
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _table_is_a_function(self) -> Self:
        fars = [row.target_far for row in self.table]
        if any(later >= earlier for earlier, later in itertools.pairwise(fars)):
            raise ValueError("the table's target FARs must fall from row to row")
        thresholds = [row.threshold for row in self.table]
        if any(later < earlier for earlier, later in itertools.pairwise(thresholds)):
            raise ValueError("a stricter target FAR must not have a lower threshold")
        if find_row(self.table, self.default_target_far) is None:
            raise ValueError(f"the default target FAR {self.default_target_far:g} is not in the table")
        return self

    @cached_property
    def id(self) -> str:
        """Names this very policy: 16 hex digits of the SHA-256 of its JSON."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    @property
    def target_fars(self) -> tuple[float, ...]:
        """The target FARs a request may name, largest first."""
        return tuple(row.target_far for row in self.table)

    @cached_property
    def gain(self) -> float:
        """Nats by which what a template learned by itself may raise a ratio at most, never below 0.

        Half of what lies between the thresholds of the default and of the next larger target FAR: a probe that is
        accepted at the one would be accepted half-way to the other by what was enrolled alone. 0 without a larger one.
        """
        default = self.row_for(None)
        larger = [row for row in self.table if row.target_far > default.target_far]
        return GAIN_SHARE * (default.threshold - larger[-1].threshold) if larger else 0.0

    def row_for(self, target_far: float | None) -> PolicyRow:
        """The row of `target_far`, a fraction such as 0.001; None takes the policy's default.

        Raises
        ------
        TargetFarUnavailable : the table has no such row; the error lists those it has.
        """
        return row_of(self.table, target_far, self.default_target_far)

    def beyond_evidence(self, row: PolicyRow) -> bool:
        """Whether `row` claims a FAR that this policy's impostor trials are too few to show."""
        return row.beyond_evidence(self.trials.impostor)

    def require_model(self, model_digest: str, modality: Modality, *, field: str = "policy.json") -> None:
        """Raise PolicyMismatch, naming the file in `field`, unless this policy was measured with that very model."""
        if self.model_digest != model_digest or self.modality != modality:
            raise PolicyMismatch(
                f"the policy was made for the {self.modality.value} model {self.model_digest[:12]}…, "
                f"not for the {modality.value} model {model_digest[:12]}…",
                field=field,
                fix="measure this model with `countersign eval policy` and use the policy it writes",
            )

    def to_json(self) -> bytes:
        """The bytes of `policy.json`: indented, and the same for equal policies.

        What is absent is not written, so that policies of earlier versions keep their bytes and their id.
        """
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, *, field: str = "policy.json") -> Self:
        """Read `policy.json`; errors name the file in `field`.

        Raises
        ------
        BundleCorrupt : it is not JSON, or not a policy of this version.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise BundleCorrupt(
                f"the policy does not parse: {where}: {first['msg']}",
                field=field,
                fix="write it again with `countersign eval policy`",
            ) from error
