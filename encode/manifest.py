"""manifest.json: everything a reader must know of a sealed bundle, as data.

`model_digest` is what a template and a policy are bound to: SHA-256 over the canonical JSON of all that decides a score
(encoder, background, preprocessing, embedding size, identity model). The card and the policy can be rewritten without
changing it; the encoder cannot.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class EmbeddingSpec(_Part):
    """What the encoder puts out: float32 vectors of `size` values, of unit Euclidean norm if `unit_norm`."""

    size: Annotated[int, Field(ge=1, le=4096)]
    unit_norm: bool = True


class CalibrationSpec(_Part):
    """Affine map from raw log-density ratio to natural-log likelihood ratio: llr = scale · raw + offset."""

    scale: Annotated[float, Field(gt=0.0)] = 1.0
    offset: float = 0.0


class IdentitySpec(_Part):
    """How a person is modelled from reference embeddings (see `enroll.gaussian`) and how many references are kept."""

    kind: Literal["spherical", "diagonal", "full_oas", "full_ledoit_wolf", "pooled", "map"]
    strength: Annotated[float, Field(gt=0.0)] = 15.0
    mean_correction: bool = False
    calibration: CalibrationSpec = CalibrationSpec()
    recent: Annotated[int, Field(ge=0, le=64)] = 5
    anchors: Annotated[int, Field(ge=0, le=64)] = 5
    minimum: Annotated[int, Field(ge=1, le=64)] = 1


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
    return sha256_hex(canonical_json(deciding))
