"""IdentitySpec as JSON: what was added later must not change the digest of a bundle that does not use it."""

import json
from typing import Any

import pytest

from encode.manifest import EmbeddingSpec, IdentitySpec, MatchingSpec, canonical_json, model_digest
from encode.sample import Modality

FIRST_FIELDS = {"kind", "strength", "mean_correction", "calibration", "recent", "anchors", "minimum"}


def written(spec: IdentitySpec) -> dict[str, Any]:
    return json.loads(canonical_json(spec.model_dump(mode="json")))


def test_a_plain_specification_is_written_as_it_first_was() -> None:
    assert set(written(IdentitySpec(kind="map"))) == FIRST_FIELDS


def test_the_digest_of_a_plain_model_is_what_it_first_was() -> None:
    digest = model_digest(
        modality=Modality.FACE,
        preprocessing=[{"step": "scale"}],
        embedding=EmbeddingSpec(size=6),
        identity=IdentitySpec(kind="map"),
        parts={"encoder.onnx": "a" * 64, "background.npz": "b" * 64},
    )
    assert digest == "064b9c2f5d560c947f9156bfafa6b5f9147eb1a2aa6e7bf57f7971a5fd384e13"


@pytest.mark.parametrize(
    "spec",
    [
        IdentitySpec(kind="pooled", storage="moments", limit=20),
        IdentitySpec(kind="spherical", anchors=0, recent=6, mean_correction=True),
        IdentitySpec(
            kind="pooled",
            matching=MatchingSpec(weights={"shape.log_min": -1.0, "gaussian": 0.5}, lone_spread={"shape": 0.25}),
        ),
    ],
)
def test_what_is_written_is_read_again(spec: IdentitySpec) -> None:
    assert IdentitySpec.model_validate(written(spec)) == spec


def test_storage_and_matching_are_written_where_they_are_used() -> None:
    assert set(written(IdentitySpec(kind="pooled", storage="moments", limit=20))) == FIRST_FIELDS | {"storage", "limit"}
    matched = IdentitySpec(kind="pooled", matching=MatchingSpec(weights={"gaussian": 1.0}))
    assert set(written(matched)) == FIRST_FIELDS | {"matching"}
