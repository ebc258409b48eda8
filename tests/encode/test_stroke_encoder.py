"""Strokes → embeddings through a real network, and what is sent to a model that does not read it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from encode.bundle import Bundle, open_bundle
from encode.encoder import Encoder
from encode.errors import (
    BundleCorrupt,
    BundleShapeMismatch,
    SampleError,
    StrokesInvalid,
    StrokesTooLong,
    StrokesTooShort,
    WrongModality,
)
from encode.manifest import EmbeddingSpec
from encode.sample import ImageSample, Modality, StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import StrokeLimits, read_strokes

Written = Callable[..., StrokesSample]
SealTiny = Callable[..., Bundle]
TinyNetwork = Callable[..., bytes]
Encoded = Callable[..., bytes]

STEPS = [{"step": "bromley1993", "points": 40, "features": ["pen", "x", "y"]}]
SIZE = 6


@pytest.fixture(scope="module")
def seal(seal_tiny: SealTiny, tiny_network: TinyNetwork) -> SealTiny:
    """``seal(folder, **changes)``: a bundle that reads (3, 40) of strokes."""

    def make(folder: Path, **changes: object) -> Bundle:
        fields: dict[str, object] = {
            "modality": Modality.SIGNATURE,
            "preprocessing": STEPS,
            "encoder": tiny_network(shape=(3, 40)),
        }
        return seal_tiny(folder, **(fields | changes))

    return make


@pytest.fixture(scope="module")
def bundle(seal: SealTiny, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seal(tmp_path_factory.mktemp("strokes") / "tiny")


@pytest.fixture(scope="module")
def encoder(bundle: Bundle) -> Encoder:
    return Encoder(bundle, threads=1)


@pytest.fixture(scope="module")
def face_encoder(seal_tiny: SealTiny, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(seal_tiny(tmp_path_factory.mktemp("face") / "tiny"), threads=1)


@pytest.fixture
def image(encoded: Encoded) -> bytes:
    return encoded(np.random.default_rng(0).integers(0, 256, (30, 24), dtype=np.uint8))


def test_a_stroke_bundle_opens_as_it_was_sealed(bundle: Bundle) -> None:
    again = open_bundle(bundle.path)
    assert again.manifest.modality is Modality.SIGNATURE
    assert isinstance(again.preprocessing, StrokePreprocessing)
    assert again.preprocessing.describe() == STEPS
    assert again.model_digest == bundle.model_digest


def test_embeddings_are_what_the_network_computes(
    encoder: Encoder, written: Written, tiny_network: TinyNetwork
) -> None:
    import onnx
    from onnx import numpy_helper

    weights = numpy_helper.to_array(onnx.load_from_string(tiny_network(shape=(3, 40))).graph.initializer[0])
    samples = [written(seed=seed) for seed in range(5)]
    prepared = np.stack([encoder.prepare(sample) for sample in samples])
    assert prepared.shape == (5, 3, 40)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared[2], StrokePreprocessing(STEPS)(read_strokes(samples[2])))
    projected = prepared.reshape(5, -1).astype(np.float64) @ weights
    found = encoder.embed(samples)
    assert found.shape == (5, SIZE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, projected / np.linalg.norm(projected, axis=1, keepdims=True), atol=1e-5)


def test_a_batch_gives_what_single_samples_give(encoder: Encoder, written: Written) -> None:
    samples = [written(seed=seed, points=60 + 9 * seed) for seed in range(7)]
    alone = np.concatenate([encoder.embed([sample]) for sample in samples])
    np.testing.assert_allclose(encoder.embed(samples[:2]), alone[:2], atol=1e-6)
    np.testing.assert_allclose(encoder.embed(samples), alone, atol=1e-6)


def test_strokes_sent_to_the_face_model_are_refused(face_encoder: Encoder, written: Written, image: bytes) -> None:
    with pytest.raises(WrongModality, match="reads face images, this sample is a signature in strokes") as caught:
        face_encoder.embed([ImageSample(image), written()])
    assert caught.value.field == "samples[1]"
    assert "face images" in (caught.value.fix or "")


@pytest.mark.parametrize("modality", Modality)
def test_an_image_sent_to_a_signature_model_is_refused(
    encoder: Encoder, written: Written, image: bytes, modality: Modality
) -> None:
    message = f"reads signature strokes, this sample is a {modality.value} image"
    with pytest.raises(WrongModality, match=message) as caught:
        encoder.embed([written(), ImageSample(image, modality=modality)])
    assert caught.value.field == "samples[1]"


def test_strokes_that_claim_to_be_a_face_are_refused(face_encoder: Encoder, encoder: Encoder, written: Written) -> None:
    strokes = written()
    mislabelled = StrokesSample(strokes.x, strokes.y, strokes.t, modality=Modality.FACE)
    for each in (face_encoder, encoder):
        with pytest.raises(WrongModality):
            each.prepare(mislabelled)


def test_strokes_sent_to_a_model_of_signature_images_are_refused(
    seal_tiny: SealTiny, written: Written, image: bytes, tmp_path: Path
) -> None:
    encoder = Encoder(seal_tiny(tmp_path, modality=Modality.SIGNATURE), threads=1)
    assert encoder.prepare(ImageSample(image, modality=Modality.SIGNATURE)).shape == (1, 10, 8)
    with pytest.raises(WrongModality, match="reads signature images"):
        encoder.prepare(written())


@pytest.mark.parametrize(
    ("fields", "kind", "field"),
    [
        ({"points": 1}, StrokesTooShort, "x"),
        ({"x": [float("nan")] * 120}, StrokesInvalid, "x"),
        ({"t": range(10, 130)}, StrokesTooLong, "t_ms"),
        ({"pressure": [-1.0] * 120}, StrokesInvalid, "pressure"),
    ],
)
def test_a_bad_sample_is_named_by_its_place(
    bundle: Bundle, written: Written, fields: dict[str, object], kind: type[SampleError], field: str
) -> None:
    strict = Encoder(bundle, threads=1, stroke_limits=StrokeLimits(max_duration=118.0))
    good = written(points=18, t=np.arange(18) * 6.0)
    with pytest.raises(kind) as caught:
        strict.embed([good, written(**fields)])
    assert caught.value.field == f"samples[1].{field}"


def test_a_network_of_other_sizes_is_refused_when_loaded(
    seal: SealTiny, tiny_network: TinyNetwork, tmp_path: Path
) -> None:
    with pytest.raises(BundleShapeMismatch, match=r"shape \(3, 40\)"):
        Encoder(seal(tmp_path / "inputs", encoder=tiny_network(shape=(3, 41))), threads=1)
    with pytest.raises(BundleShapeMismatch, match=r"shape \(3, 40\)"):
        Encoder(seal(tmp_path / "image", encoder=tiny_network()), threads=1)


def test_a_face_bundle_that_reads_strokes_is_refused(seal: SealTiny, tmp_path: Path) -> None:
    with pytest.raises(BundleCorrupt, match="face model cannot read strokes"):
        seal(tmp_path, modality=Modality.FACE)


def test_a_row_may_hold_more_than_the_embedding(seal: SealTiny, written: Written, tmp_path: Path) -> None:
    """The background is of the first four values; the encoder hands over all six."""
    background = {"mean": np.zeros(4), "total": np.eye(4), "within": 0.1 * np.eye(4)}
    bundle = seal(tmp_path / "b", embedding=EmbeddingSpec(size=SIZE, vector=4), background=background)
    assert bundle.manifest.embedding.vector_size == 4
    assert bundle.background["mean"].shape == (4,)
    assert Encoder(bundle, threads=1).embed([written()]).shape == (1, SIZE)
    with pytest.raises(BundleShapeMismatch, match=r"asks for \(4,\)"):
        seal(tmp_path / "c", embedding=EmbeddingSpec(size=SIZE, vector=4))
