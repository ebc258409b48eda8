"""Optional parts of a manifest: an absent one is not written, so that it changes no digest of an older bundle."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from encode.bundle import Bundle, open_bundle
from encode.manifest import (
    BACKGROUND,
    ENCODER,
    MANIFEST,
    EmbeddingSpec,
    Manifest,
    canonical_json,
    model_digest,
    sha256_hex,
)
from encode.sample import Modality

SealTiny = Callable[..., Bundle]
TinyManifest = Callable[..., Manifest]

DIGESTS = {
    "face": "31efcedbff4770008ad6745a21107fa1c50e43bac7ac89845ad49b0c17b97cd5",
    "face-chopra2005": "d360b0c8d4bb2acd2368292c02ae1106de9dfd6c0228b22be10a698e4f5172b8",
}
MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", DIGESTS)
def test_shipped_bundles_keep_their_digest(name: str) -> None:
    """Templates and policies are bound to it: whoever has enrolled people would have to enroll them again."""
    assert open_bundle(MODELS / name).model_digest == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_shipped_manifests_are_written_as_they_were_read(name: str) -> None:
    fields = json.loads((MODELS / name / MANIFEST).read_bytes())
    assert Manifest.model_validate(fields).model_dump(mode="json") == fields


def test_the_digest_is_over_what_the_first_release_wrote(tiny_manifest: TinyManifest) -> None:
    manifest = tiny_manifest()
    parts = {ENCODER: "a" * 64, BACKGROUND: "b" * 64}
    identity = {
        "kind": "map",
        "strength": 15.0,
        "mean_correction": False,
        "calibration": {"scale": 1.0, "offset": 0.0},
        "recent": 5,
        "anchors": 5,
        "minimum": 1,
    }
    deciding = {
        "modality": "face",
        "preprocessing": manifest.preprocessing,
        "embedding": {"size": 6, "unit_norm": True},
        "identity": identity,
        "encoder": "a" * 64,
        "background": "b" * 64,
    }
    found = model_digest(
        modality=Modality.FACE,
        preprocessing=manifest.preprocessing,
        embedding=manifest.embedding,
        identity=manifest.identity,
        parts=parts,
    )
    assert found == sha256_hex(canonical_json(deciding))


def test_an_absent_part_is_not_written_and_a_present_one_is(seal_tiny: SealTiny, tmp_path: Path) -> None:
    plain = seal_tiny(tmp_path / "plain")
    spelt = seal_tiny(tmp_path / "spelt", embedding={"size": 6, "vector": None})
    given = seal_tiny(tmp_path / "given", embedding=EmbeddingSpec(size=6, vector=6))
    written = [json.loads((bundle.path / MANIFEST).read_bytes())["embedding"] for bundle in (plain, spelt, given)]
    assert written[0] == written[1] == {"size": 6, "unit_norm": True}
    assert written[2] == {"size": 6, "unit_norm": True, "vector": 6}
    assert plain.model_digest == spelt.model_digest != given.model_digest


def test_a_recipe_keeps_what_it_says_is_nothing(tiny_manifest: TinyManifest) -> None:
    recipe = {"name": "tiny", "warmup": None, "stages": [{"rate": None}]}
    assert tiny_manifest(recipe=recipe).model_dump(mode="json")["recipe"] == recipe


def test_the_embedding_is_the_whole_row_unless_it_says_otherwise() -> None:
    assert EmbeddingSpec(size=65_536).vector_size == 65_536
    assert EmbeddingSpec(size=65_536, vector=64).vector_size == 64


@pytest.mark.parametrize(
    "fields", [{"size": 0}, {"size": 65_537}, {"size": 6, "vector": 0}, {"size": 6, "vector": 7}], ids=str
)
def test_sizes_that_cannot_be_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        EmbeddingSpec.model_validate(fields)
