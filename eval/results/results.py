"""results.json: everything a run measured, as data (schema in docs/results.schema.json).

Each kind of impostor present is a block of its own at the top level, `random` (zero-effort) and `skilled`; the kinds
are never pooled (`eval.results.kind_results`). Every rate is `{value, low, high}` with a 95 % interval.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from encode.sample import Modality
from eval.results.counted_rate import Count, Part, measured_kinds
from eval.results.kind_results import KindResults
from eval.results.search_results import EmbeddingQuality, Identification
from eval.trials import TrialKind
from verify.policy import Digest, PolicyTrials, Rate

RESULTS = "results.json"
"""What a run calls the file in its folder."""

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class CorpusFacts(Part):
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


class PolicyFacts(Part):
    """The policy that `at_policy` used."""

    id: str
    impostor: Literal["random", "skilled"]
    corpus: str
    trials: PolicyTrials


class BundleFacts(Part):
    """Which model."""

    name: str
    model_digest: Annotated[Digest | None, Field(description="absent where score files name no bundle of ours")] = None
    policy: PolicyFacts | None = None


class SplitFacts(Part):
    """Which people set the thresholds of `at_development`, and which they are reported on; nobody is in both."""

    rule: Annotated[str, Field(description="in words: a column of the manifest, a share drawn by seed, folds, a list")]
    folds: Annotated[int, Field(ge=1, description="1: one split")]
    development_people: Annotated[int, Field(ge=2, description="of the fold with the fewest")]
    test_people: Annotated[int, Field(ge=2, description="over all folds")]


class ProtocolFacts(Part):
    """How trials came about, and how intervals were made."""

    rule: Annotated[
        Literal["references", "leave one out", "trial list", "all versus all", "scores"],
        Field(description="references: drawn by seed; scores: whoever made the score file knows"),
    ] = "references"
    note: Annotated[str, Field(description="what the source says of itself; empty where there is nothing to say")] = ""
    references: Annotated[int | None, Field(ge=1)] = None
    draws: Annotated[int | None, Field(ge=1)] = None
    seed: Count = 0
    split: SplitFacts | None = None
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


class FailureFacts(Part):
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


class ScoreFacts(Part):
    """The score files that were measured, where that is all there is."""

    files: Annotated[tuple[str, ...], Field(min_length=1, description="names, without folders")]
    digest: Annotated[Digest, Field(description="SHA-256 over the files' bytes, in that order")]


class ScaleFacts(Part):
    """How a streaming run kept its counts."""

    templates: Annotated[int, Field(ge=2)]
    samples: Annotated[int, Field(ge=2)]
    comparisons: Annotated[int, Field(ge=1)]
    bins: Annotated[int, Field(ge=1, description="of the histogram of scores")]
    score_error: Annotated[
        float, Field(ge=0, description="bin width and rounding; a threshold from the histogram is at most that far off")
    ]
    exact_tail: Annotated[int, Field(ge=0, description="highest impostor scores kept one by one")]
    groups: Annotated[int, Field(ge=2, description="groups of claimed people that intervals resample")]


class Results(Part):
    """The whole of results.json."""

    version: Literal[2] = 2
    created: datetime
    corpus: Annotated[CorpusFacts | None, Field(description="absent where score files were measured")] = None
    scores: Annotated[ScoreFacts | None, Field(description="present where score files were measured")] = None
    bundle: BundleFacts
    protocol: ProtocolFacts
    failures: Annotated[FailureFacts | None, Field(description="absent where score files were measured")] = None
    random: KindResults | None = None
    skilled: KindResults | None = None
    identification: Identification | None = None
    embedding: EmbeddingQuality | None = None
    scale: ScaleFacts | None = None
    software: dict[str, str]
    command: Annotated[str, Field(description="repeats the run")]

    @property
    def blocks(self) -> dict[TrialKind, KindResults]:
        """The rates by kind of impostor, of the kinds that were measured."""
        return measured_kinds(self.random, self.skilled)

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
