"""results.json: everything a run measured, as data (schema in docs/results.schema.json).

Each kind of impostor present is a block of its own at the top level, `random` (zero-effort) and `skilled`; the kinds
are never pooled. Every rate is `{value, low, high}` with a 95 % interval.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from encode.sample import Modality
from verify.policy import Digest, Fraction, PolicyTrials, Rate

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

Count = Annotated[int, Field(ge=0)]
Threshold = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrialCounts(_Part):
    """What the rates of one kind rest on."""

    genuine: Annotated[int, Field(ge=1, description="genuine trials, every draw counted")]
    impostor: Annotated[int, Field(ge=1, description="impostor trials of this kind, every draw counted")]
    people: Annotated[int, Field(ge=2, description="people claimed")]
    genuine_probes: Annotated[int, Field(ge=1, description="distinct samples among the genuine probes")]
    impostor_probes: Annotated[int, Field(ge=1, description="distinct samples among the impostor probes")]
    genuine_comparisons: Annotated[int, Field(ge=1, description="distinct pairs of claimed person and genuine probe")]
    impostor_comparisons: Annotated[int, Field(ge=1, description="distinct pairs of claimed person and impostor probe")]
    genuine_failures: Annotated[int, Field(ge=0, description="genuine trials rejected as failures to acquire")]
    impostor_failures: Annotated[int, Field(ge=0, description="impostor trials rejected as failures to acquire")]


class OperatingPoint(_Part):
    """FRR where FAR is at most `far`, at a threshold chosen after the fact on the very trials it is reported for."""

    far: Annotated[Fraction, Field(description="the FAR asked for")]
    threshold: Annotated[Threshold, Field(description="natural-log likelihood ratio; accept iff score >= threshold")]
    threshold_chosen: Literal["a posteriori"] = "a posteriori"
    achieved_far: Annotated[Rate, Field(description="FAR of that threshold; never above `far`")]
    frr: Annotated[Rate, Field(description="its interval holds the choice of threshold")]
    beyond_evidence: Annotated[bool, Field(description="fewer than 30 / far distinct impostor comparisons")]


class PolicyPoint(_Part):
    """The rates of a threshold that the bundle's policy fixed beforehand on other people."""

    target_far: Fraction
    threshold: Threshold
    threshold_chosen: Literal["by policy"] = "by policy"
    achieved_far: Rate
    frr: Rate
    beyond_evidence: Annotated[bool, Field(description="the policy's own impostor trials are fewer than 30 / target")]


class KindResults(_Part):
    """The rates of one kind of impostor."""

    trials: TrialCounts
    eer: Rate
    eer_threshold: Threshold
    eer_per_person: Annotated[
        Rate | None, Field(description="mean over people of the EER at thresholds of their own")
    ] = None
    auc: Rate
    frr_at_far: tuple[OperatingPoint, ...]
    at_policy: tuple[PolicyPoint, ...] = ()


class CorpusFacts(_Part):
    """Which data; the digest is that of `eval.corpora`."""

    name: str
    digest: Digest
    modality: Modality
    people: Count
    samples: Count
    forgeries: Count
    used_in_making_the_model: Annotated[
        Literal["training", "development"] | None,
        Field(description="set where the bundle's manifest lists this corpus: the rates are then not those of a test"),
    ] = None


class PolicyFacts(_Part):
    """The policy that `at_policy` used."""

    id: str
    impostor: Literal["random", "skilled"]
    corpus: str
    trials: PolicyTrials


class BundleFacts(_Part):
    """Which model."""

    name: str
    model_digest: Digest
    policy: PolicyFacts | None = None


class ProtocolFacts(_Part):
    """How trials were derived, and how intervals were made."""

    references: Annotated[int, Field(ge=1)]
    draws: Annotated[int, Field(ge=1)]
    seed: Count
    reference_pool: Annotated[int | None, Field(ge=1)] = None
    reference_rule: Annotated[
        str | None,
        Field(description="which samples the corpus offers as references; absent: any, or those of `reference_pool`"),
    ] = None
    impostors_per_person: Annotated[int | None, Field(ge=1, description="absent: all")] = None
    impostor_samples: Annotated[
        int | None, Field(ge=1, description="zero-effort probes of each other person in one draw; absent: all")
    ] = None
    interval: str
    confidence: Annotated[float, Field(gt=0, lt=1)]
    replicates: Annotated[int, Field(ge=1)]


class FailureFacts(_Part):
    """Failures to acquire (samples) and to enroll (people), ISO/IEC 19795-1; intervals are Clopper–Pearson.

    FAR and FRR hold the failures to acquire. People who fail to enroll are not claimed and are in neither rate.
    """

    to_acquire: Rate
    samples: Count
    by_reason: dict[str, int]
    to_enroll: Rate
    people_failed: Count
    people_attempted: Count
    people_too_few_samples: Annotated[int, Field(ge=0, description="never claimed; their samples act as impostors")]


class Results(_Part):
    """The whole of results.json."""

    version: Literal[1] = 1
    created: datetime
    corpus: CorpusFacts
    bundle: BundleFacts
    protocol: ProtocolFacts
    failures: FailureFacts
    random: KindResults | None = None
    skilled: KindResults | None = None
    software: dict[str, str]
    command: Annotated[str, Field(description="repeats the run")]

    def to_json(self) -> str:
        """The text of results.json; blocks and values that do not exist are left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


def results_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `Results.to_json`."""
    schema = Results.model_json_schema(mode="serialization")
    return {"$schema": SCHEMA_ID, **schema, "anyOf": [{"required": ["random"]}, {"required": ["skilled"]}]}


def schema_text() -> str:
    """The text of docs/results.schema.json."""
    return json.dumps(results_schema(), indent=2, ensure_ascii=False) + "\n"
