"""Samples → embeddings through a real network: batches change nothing, and what does not fit is refused by name."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import encode.encoder
import encode.network
from encode.bundle import Bundle
from encode.encoder import MAX_BATCH, Encoder
from encode.errors import (
    BundleCorrupt,
    BundleShapeMismatch,
    CropInvalid,
    ImageCorrupt,
    ImageTooSmall,
    SampleEmpty,
    SampleTooLarge,
    WrongModality,
)
from encode.image import ImageLimits
from encode.manifest import EmbeddingSpec
from encode.sample import CropBox, ImageSample, Modality, StrokesSample

Encoded = Callable[..., bytes]
SealTiny = Callable[..., Bundle]
TinyNetwork = Callable[..., bytes]

SIZE = 6
STROKES = StrokesSample(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 8.0))


@pytest.fixture(scope="module")
def bundle(seal_tiny: SealTiny, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seal_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def encoder(bundle: Bundle) -> Encoder:
    return Encoder(bundle, threads=1)


@pytest.fixture(scope="module")
def pictures(encoded: Encoded) -> list[ImageSample]:
    draw = np.random.default_rng(0)
    return [ImageSample(encoded(draw.integers(0, 256, (30, 24), dtype=np.uint8))) for _ in range(7)]


def test_the_encoder_says_what_it_is(encoder: Encoder, bundle: Bundle) -> None:
    assert encoder.modality is Modality.FACE
    assert encoder.embedding_size == SIZE
    assert encoder.model_digest == bundle.model_digest
    assert "CPUExecutionProvider" in encoder.providers


def test_embeddings_are_what_the_network_computes(
    encoder: Encoder, pictures: list[ImageSample], tiny_network: TinyNetwork
) -> None:
    import onnx
    from onnx import numpy_helper

    weights = numpy_helper.to_array(onnx.load_from_string(tiny_network()).graph.initializer[0])
    prepared = np.stack([encoder.prepare(picture) for picture in pictures])
    assert prepared.shape == (7, 1, 10, 8)
    assert prepared.dtype == np.float32
    projected = prepared.reshape(7, -1).astype(np.float64) @ weights
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    found = encoder.embed(pictures)
    assert found.shape == (7, SIZE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_batch_gives_what_single_samples_give(encoder: Encoder, pictures: list[ImageSample]) -> None:
    alone = np.concatenate([encoder.embed([picture]) for picture in pictures])
    np.testing.assert_allclose(encoder.embed(pictures[:2]), alone[:2], atol=1e-6)
    np.testing.assert_allclose(encoder.embed(pictures), alone, atol=1e-6)
    np.testing.assert_allclose(encoder.embed(pictures[::-1]), alone[::-1], atol=1e-6)


@pytest.mark.parametrize("count", [MAX_BATCH - 1, MAX_BATCH, MAX_BATCH + 1, 2 * MAX_BATCH + 3])
def test_more_than_the_largest_batch_is_cut_into_pieces(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    inputs = np.random.default_rng(count).normal(size=(count, 1, 10, 8)).astype(np.float32)
    whole = encoder.embed_prepared(inputs)
    assert whole.shape == (count, SIZE)
    monkeypatch.setattr(encode.encoder, "MAX_BATCH", 5)
    np.testing.assert_allclose(encoder.embed_prepared(inputs), whole, atol=1e-6)


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, SIZE)
    assert encoder.embed_prepared(np.empty((0, 1, 10, 8), np.float32)).shape == (0, SIZE)


def test_several_threads_get_the_same_answers(encoder: Encoder, pictures: list[ImageSample]) -> None:
    expected = encoder.embed(pictures)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: encoder.embed(pictures), range(20)):
            np.testing.assert_array_equal(found, expected)


def test_the_crop_box_is_applied(encoder: Encoder, encoded: Encoded) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 50), dtype=np.uint8)
    cropped = encoder.prepare(ImageSample(encoded(pixels), crop=CropBox(5, 10, 29, 40)))
    np.testing.assert_array_equal(cropped, encoder.prepare(ImageSample(encoded(pixels[10:40, 5:29]))))


def test_the_crop_box_is_in_pixels_of_the_upright_image(encoder: Encoder, encoded: Encoded) -> None:
    stored = np.random.default_rng(4).integers(0, 256, (60, 50), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoder.prepare(ImageSample(encoded(stored, exif=exif), crop=CropBox(30, 2, 60, 40)))
    upright = np.rot90(stored, -1)[2:40, 30:60].copy()
    np.testing.assert_array_equal(turned, encoder.prepare(ImageSample(encoded(upright))))


def test_samples_of_another_modality_are_refused(encoder: Encoder, pictures: list[ImageSample]) -> None:
    signature = ImageSample(pictures[0].data, modality=Modality.SIGNATURE)
    for sample in (STROKES, signature):
        with pytest.raises(WrongModality, match="reads face images"):
            encoder.prepare(sample)
    with pytest.raises(WrongModality) as caught:
        encoder.embed([pictures[0], STROKES])
    assert caught.value.field == "samples[1]"


def test_a_bad_sample_is_named_by_its_place(encoder: Encoder, pictures: list[ImageSample]) -> None:
    good, truncated = pictures[0], ImageSample(pictures[1].data[:90])
    with pytest.raises(ImageCorrupt) as corrupt:
        encoder.embed([good, good, truncated, ImageSample(b"")])
    assert corrupt.value.field == "samples[2].data"
    with pytest.raises(SampleEmpty) as empty:
        encoder.embed([ImageSample(b"")])
    assert empty.value.field == "samples[0].data"
    with pytest.raises(CropInvalid) as crop:
        encoder.embed([ImageSample(good.data, crop=CropBox(0, 0, 25, 30))])
    assert crop.value.field == "samples[0].crop"


def test_limits_are_the_encoders_own(bundle: Bundle, pictures: list[ImageSample]) -> None:
    with pytest.raises(SampleTooLarge):
        Encoder(bundle, threads=1, limits=ImageLimits(max_bytes=100)).prepare(pictures[0])
    strict = Encoder(bundle, threads=1, limits=ImageLimits(min_side=20))
    assert strict.prepare(pictures[0]).shape == (1, 10, 8)
    with pytest.raises(ImageTooSmall):
        strict.prepare(ImageSample(pictures[0].data, crop=CropBox(0, 0, 24, 19)))


def test_threads_follow_the_quota_unless_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    session = encode.network.ort.InferenceSession

    def spy(data: bytes, options: encode.network.ort.SessionOptions, providers: list[str]) -> object:
        asked.append(options.intra_op_num_threads)
        return session(data, options, providers=providers)

    monkeypatch.setattr(encode.network.ort, "InferenceSession", spy)
    monkeypatch.setattr(encode.encoder, "usable_cpus", lambda: 3)
    Encoder(bundle)
    Encoder(bundle, threads=1)
    assert asked == [3, 1]


@pytest.mark.parametrize("data", [b"", b"not a network", bytes(1000)])
def test_an_encoder_that_is_no_network_is_refused(seal_tiny: SealTiny, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BundleCorrupt, match="not a network") as caught:
        Encoder(seal_tiny(tmp_path, encoder=data))
    assert caught.value.field == "encoder.onnx"


def test_a_network_of_other_sizes_is_refused_when_loaded(
    seal_tiny: SealTiny, tiny_network: TinyNetwork, tmp_path: Path
) -> None:
    with pytest.raises(BundleShapeMismatch, match=r"shape \(1, 10, 8\)") as inputs:
        Encoder(seal_tiny(tmp_path / "inputs", encoder=tiny_network(height=9)), threads=1)
    assert inputs.value.field == "encoder.onnx"
    with pytest.raises(BundleShapeMismatch, match=r"puts out shape \(1, 5\) .* says \(1, 6\)"):
        Encoder(seal_tiny(tmp_path / "outputs", encoder=tiny_network(size=5)), threads=1)


def test_a_background_of_another_size_is_refused(seal_tiny: SealTiny, tmp_path: Path) -> None:
    with pytest.raises(BundleShapeMismatch, match=r"asks for \(5,\)"):
        seal_tiny(tmp_path, embedding=EmbeddingSpec(size=5))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_network_of_one_batch_size_is_refused(
    seal_tiny: SealTiny, tiny_network: TinyNetwork, tmp_path: Path, batch: int
) -> None:
    with pytest.raises(BundleShapeMismatch, match="batch of"):
        Encoder(seal_tiny(tmp_path, encoder=tiny_network(batch=batch)), threads=1)


def test_a_network_with_two_outputs_is_refused(seal_tiny: SealTiny, tiny_network: TinyNetwork, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(tiny_network())
    model.graph.output.append(helper.make_tensor_value_info("projected", TensorProto.FLOAT, ["n", SIZE]))
    with pytest.raises(BundleShapeMismatch, match="1 inputs and 2 outputs"):
        Encoder(seal_tiny(tmp_path, encoder=model.SerializeToString()), threads=1)


def test_a_sample_never_shows_its_content(pictures: list[ImageSample]) -> None:
    assert repr(pictures[0]) == f"ImageSample(modality=face, bytes={len(pictures[0].data)})"
    assert repr(STROKES) == "StrokesSample(modality=signature, points=2)"
