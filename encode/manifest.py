"""manifest.json: everything a reader must know of a sealed bundle, as data.

`model_digest` is what a template and a policy are bound to: SHA-256 over the canonical JSON of all that decides a score
(encoder and how it is wrapped, background, preprocessing, embedding size, identity model). The card and the policy can
be rewritten without changing it; the encoder cannot.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from encode.sample import Modality

FORMAT_VERSION = 1

ENCODER = "encoder.onnx"
MANIFEST = "manifest.json"
BACKGROUND = "background.npz"
POLICY = "policy.json"
CARD = "MODEL_CARD.md"
REQUIRED_PARTS = (ENCODER, BACKGROUND, CARD)

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Optional parts that are absent are not written, so that those added later keep every earlier digest."""
        return {name: value for name, value in serialize(self).items() if value is not None}


class EmbeddingSpec(_Part):
    """What the encoder puts out: float32 rows of `size` values.

    The first `vector` of them (all, unless it is given) are the embedding that a person's Gaussian models, of unit
    Euclidean norm if `unit_norm`; the rest, if any, is a flattened trace for frame-by-frame matching.
    """

    size: Annotated[int, Field(ge=1, le=65_536)]
    unit_norm: bool = True
    vector: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _vector_fits(self) -> Self:
        if self.vector is not None and self.vector > self.size:
            raise ValueError("vector must not be larger than size")
        return self

    @property
    def vector_size(self) -> int:
        """How many values of a row are the embedding."""
        return self.size if self.vector is None else self.vector


class NetworkSpec(_Part):
    """How the encoder wraps a network that was exported elsewhere, whose file is run unchanged.

    Parameters
    ----------
    layout : of what it reads; "NHWC" has the channels last, of strokes (N, T, C).
    output : which of the graph's outputs is the embedding; None where there is one.
    normalise : whether to divide its rows by their Euclidean norm.
    one_by_one : whether the graph takes a batch of exactly one.
    """

    layout: Literal["NCHW", "NHWC"] = "NCHW"
    output: str | None = None
    normalise: bool = False
    one_by_one: bool = False


class CalibrationSpec(_Part):
    """Affine map from raw log-density ratio to natural-log likelihood ratio: llr = scale · raw + offset."""

    scale: Annotated[float, Field(gt=0.0)] = 1.0
    offset: float = 0.0


TRACE_CHANNELS = ("x", "y", "pressure", "mask")
"""What frame matching needs of a signature, by the names of `encode.pen_frames`."""


class MatchingSpec(_Part):
    """How signatures are matched frame by frame (see `enroll.matching`), beside or in place of the Gaussian.

    Parameters
    ----------
    weights : part of the comparison → its weight in the raw score; parts that are not named weigh nothing.
    channels : what the rows of the trace hold, in order.
    lone_spread : feature set → mean log (spread / length) over training people, which stands in for the spread of a
        person with one reference; without it a person needs two.
    learned : channels of the network's own frames, which follow the trace, one frame for every two points of it.
    """

    weights: Annotated[dict[str, float], Field(min_length=1)]
    channels: tuple[str, ...] = TRACE_CHANNELS
    lone_spread: dict[str, float] = {}
    learned: Annotated[int, Field(ge=1, le=256)] | None = None

    @model_validator(mode="after")
    def _channels_suffice(self) -> Self:
        if len(set(self.channels)) < len(self.channels) or not set(TRACE_CHANNELS) <= set(self.channels):
            raise ValueError("channels must name x, y, pressure and mask, each once")
        return self


class IdentitySpec(_Part):
    """How a person is modelled from reference embeddings (see `enroll.gaussian`) and what a template keeps.

    `storage` "references" keeps the first `anchors` and the last `recent` references; "moments" keeps count, mean and
    sum of squares of up to `limit` references and none of them, which suffices for the kinds without correlations.
    """

    kind: Literal["spherical", "diagonal", "diagonal_map", "full_oas", "full_ledoit_wolf", "pooled", "map"]
    strength: Annotated[float, Field(gt=0.0)] = 15.0
    mean_correction: bool = False
    calibration: CalibrationSpec = CalibrationSpec()
    recent: Annotated[int, Field(ge=0, le=64)] = 5
    anchors: Annotated[int, Field(ge=0, le=64)] = 5
    minimum: Annotated[int, Field(ge=1, le=64)] = 1
    matching: MatchingSpec | None = None
    storage: Literal["references", "moments"] = "references"
    limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _moments_suffice(self) -> Self:
        if (self.storage == "moments") != (self.limit is not None):
            raise ValueError("limit goes with the storage of moments")
        if self.limit is not None and self.matching is not None:
            raise ValueError("frame matching needs the references: moments do not keep them")
        if self.limit is not None and self.kind in ("full_oas", "full_ledoit_wolf", "map"):
            raise ValueError("moments hold no correlations: choose spherical, diagonal, diagonal_map or pooled")
        return self

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As every part; nor is the storage of references written, which was the only one once."""
        absent = (None, "references")
        return {name: value for name, value in serialize(self).items() if value not in absent}


class CorpusUse(_Part):
    """A corpus behind the weights: which people were used for what, and on what terms."""

    name: str
    digest: str
    people: int
    samples: int
    role: Literal["training", "development"]
    terms: str = "research use"


class Manifest(_Part):
    """The contents of manifest.json."""

    format_version: int
    name: str
    modality: Modality
    created: str
    model_digest: Digest
    preprocessing: list[dict[str, Any]]
    embedding: EmbeddingSpec
    identity: IdentitySpec
    corpora: list[CorpusUse]
    recipe: dict[str, Any]
    parts: dict[str, Digest]
    # None for a network that reads (N, C, H, W) or (N, C, T) and puts out embeddings and nothing else.
    network: NetworkSpec | None = None
    # Of the manifest itself; None until it is sealed.
    manifest_digest: Digest | None = None

    def own_digest(self) -> str:
        """What `manifest_digest` must be: SHA-256 of all other fields, which `model_digest` covers in part only."""
        return sha256_hex(canonical_json(self.model_dump(mode="json", exclude={"manifest_digest"})))

    @property
    def roles(self) -> dict[str, str]:
        """Corpus digest → role; `training` where people of one corpus had both."""
        return {use.digest: use.role for use in sorted(self.corpora, key=lambda use: use.role == "training")}


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: object) -> bytes:
    """Sorted keys, no spaces, UTF-8: the same bytes for the same value everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def model_digest(
    *,
    modality: Modality,
    preprocessing: list[dict[str, Any]],
    embedding: EmbeddingSpec,
    identity: IdentitySpec,
    parts: Mapping[str, str],
    network: NetworkSpec | None = None,
) -> str:
    """The digest templates and policies are bound to: 64 hex digits."""
    deciding = {
        "modality": modality.value,
        "preprocessing": preprocessing,
        "embedding": embedding.model_dump(mode="json"),
        "identity": identity.model_dump(mode="json"),
        "encoder": parts[ENCODER],
        "background": parts[BACKGROUND],
    }
    if network is not None:
        deciding["network"] = network.model_dump(mode="json")
    return sha256_hex(canonical_json(deciding))
