"""What training sees in the middle of a crop is what serving shows the encoder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from encode.encoder import Encoder
from encode.errors import TrainingError
from encode.image import crop_image, decode_image
from encode.preprocessing import Preprocessing
from encode.sample import CropBox, ImageSample, StrokesSample
from eval.corpora.corpus import Corpus, Row
from train.pixels import load_pixels, scale_pixels

Encoded = Callable[..., bytes]

STEPS: list[dict[str, Any]] = [
    {"step": "colour", "mode": "L"},
    {"step": "resize", "height": 32, "width": 24, "filter": "bilinear"},
    {"step": "scale", "per_image": True},
]
PREPROCESSING = Preprocessing(STEPS)
BOX = CropBox(20, 31, 80, 111)


def natural(height: int, width: int, seed: int = 0, channels: int = 1) -> NDArray[np.uint8]:
    """Smooth pixels with a little noise, as photographs are."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float)
    pixels = np.clip(smooth + draw.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels


def rows(tmp_path: Path, files: dict[str, bytes], crop: CropBox | None = None) -> list[Row]:
    found = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        found.append(Row(id=name, path=tmp_path / name, person=name.partition("_")[0], crop=crop))
    return found


def serving(data: bytes, crop: CropBox | None) -> NDArray[np.uint8]:
    image = decode_image(data)
    return PREPROCESSING.pixels(crop_image(image, crop) if crop else image)


CASES: dict[str, tuple[int, int, CropBox | None]] = {
    "whole image, made smaller": (160, 130, None),
    "whole image, made larger": (20, 17, None),
    "whole image, as it is": (32, 24, None),
    "a box in the middle": (160, 130, BOX),
    "a box in the corner": (160, 130, CropBox(70, 0, 130, 80)),
    "the whole as a box": (160, 130, CropBox(0, 0, 130, 160)),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_the_centre_is_what_serving_shows(tmp_path: Path, encoded: Encoded, name: str, channels: int) -> None:
    """Inside equal but for rounding; at the very edge the margin's pixels weigh in where serving has none."""
    height, width, box = CASES[name]
    data = encoded(natural(height, width, channels=channels))
    pixels = load_pixels(Corpus("x", rows(tmp_path, {"a": data}, box)), PREPROCESSING, margin=(5, 4))
    assert pixels.pixels.shape == (1, 1, 42, 32)
    assert pixels.pixels.dtype == torch.uint8
    found = pixels.centre().numpy()[0].astype(int)
    expected = serving(data, box).astype(int)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference[:, 1:-1, 1:-1].max() <= 2
    assert difference.max() <= 12
    assert difference.mean() < 0.5


def test_a_box_that_divides_evenly_is_equal_pixel_by_pixel(tmp_path: Path, encoded: Encoded) -> None:
    data = encoded(natural(100, 90))
    box = CropBox(30, 20, 54, 52)
    pixels = load_pixels(Corpus("x", rows(tmp_path, {"a": data}, box)), PREPROCESSING, margin=(6, 5))
    np.testing.assert_array_equal(pixels.centre().numpy()[0], serving(data, box))
    np.testing.assert_array_equal(pixels.pixels.numpy()[0, 0], natural(100, 90)[14:58, 25:59])


def test_where_the_photograph_ends_its_edge_goes_on(tmp_path: Path, encoded: Encoded) -> None:
    ramp = np.tile(np.linspace(40, 200, 24).astype(np.uint8), (32, 1))
    pixels = load_pixels(Corpus("x", rows(tmp_path, {"a": encoded(ramp)})), PREPROCESSING, margin=(3, 4))
    full = pixels.pixels.numpy()[0, 0]
    np.testing.assert_array_equal(full[3:-3, 4:-4], ramp)
    np.testing.assert_array_equal(full[:, :4], 40)
    np.testing.assert_array_equal(full[:, -4:], 200)


def test_training_input_is_serving_input(
    tmp_path: Path, encoded: Encoded, seal_tiny: Callable[..., Any], tiny_network: Callable[..., bytes]
) -> None:
    """Through the encoder itself: one file, read by both roads, gives one tensor."""
    bundle = seal_tiny(tmp_path / "bundle", preprocessing=STEPS, encoder=tiny_network(height=32, width=24))
    data = encoded(natural(160, 130), "PNG")
    pixels = load_pixels(Corpus("x", rows(tmp_path, {"a": data}, BOX)), PREPROCESSING, margin=(5, 4))
    found = scale_pixels(pixels.centre().float() / 255, PREPROCESSING.scale).numpy()[0]
    expected = Encoder(bundle, threads=1).prepare(ImageSample(data, crop=BOX))
    assert np.abs(found - expected)[:, 1:-1, 1:-1].max() < 0.06


def test_exif_orientation_comes_before_the_box(tmp_path: Path, encoded: Encoded) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(np.rot90(natural(160, 130), 1).copy(), exif=exif)
    corpus = Corpus("x", rows(tmp_path, {"a_1": turned, "a_2": encoded(natural(160, 130))}, BOX))
    first, second = load_pixels(corpus, PREPROCESSING, margin=(5, 4)).pixels
    assert torch.equal(first, second)


def test_people_labels_and_corpora_go_with_the_pixels(tmp_path: Path, encoded: Encoded) -> None:
    files = {
        f"{person}_{shot}": encoded(natural(40, 30, seed))
        for seed, (person, shot) in enumerate([("b", 1), ("a", 1), ("b", 2), ("c", 1)])
    }
    corpus = Corpus("x", (replace(row, person=f"two/{row.person}") for row in rows(tmp_path, files)))
    found = load_pixels(corpus, PREPROCESSING, margin=(1, 1))
    assert found.people == ("two/a", "two/b", "two/c")
    assert found.labels.tolist() == [0, 1, 1, 2]
    assert found.labels.dtype == torch.int64
    assert found.corpus_of == ("two", "two", "two")
    assert found.unusable == 0


def test_no_margin_is_a_margin_too(tmp_path: Path, encoded: Encoded) -> None:
    data = encoded(natural(32, 24))
    found = load_pixels(Corpus("x", rows(tmp_path, {"a": data})), PREPROCESSING, margin=(0, 0))
    assert torch.equal(found.centre(), found.pixels)
    np.testing.assert_array_equal(found.pixels.numpy()[0, 0], natural(32, 24))


def test_what_cannot_be_used_is_counted_and_left_out(tmp_path: Path, encoded: Encoded) -> None:
    good = encoded(natural(120, 100))
    own = rows(tmp_path, {"a_1": good, "a_2": good[:200], "b_1": b"", "b_2": good, "c_1": good, "d_1": good})
    own[4] = replace(own[4], crop=CropBox(0, 0, 101, 120))
    own[5] = replace(own[5], path=tmp_path / "absent")
    seen: list[tuple[int, int]] = []
    found = load_pixels(
        Corpus("x", own), PREPROCESSING, margin=(2, 2), advance=lambda done, total: seen.append((done, total))
    )
    assert found.unusable == 4
    assert found.labels.tolist() == [0, 1]
    assert found.people == ("a", "b", "c", "d")
    assert seen == [(number, 6) for number in range(1, 7)]


def test_a_corpus_of_nothing_usable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of the 1 samples of x can be read") as caught:
        load_pixels(Corpus("x", rows(tmp_path, {"a": b"text"})), PREPROCESSING, margin=(2, 2))
    assert caught.value.field == "corpus"


def test_pen_strokes_are_refused(tmp_path: Path) -> None:
    strokes = StrokesSample((0.0,), (0.0,), (0.0,))
    corpus = Corpus("x", [Row(id="a", path=tmp_path, person="a", loader=lambda row: strokes)])
    with pytest.raises(TrainingError, match="needs images"):
        load_pixels(corpus, PREPROCESSING, margin=(2, 2))


@pytest.mark.parametrize(
    "steps",
    [
        [{"step": "colour", "mode": "RGB"}, *STEPS[1:]],
        [STEPS[0], STEPS[1] | {"filter": "box"}, STEPS[2]],
        [STEPS[0], {"step": "equalize"}, *STEPS[1:]],
        [STEPS[0], {"step": "centre_crop", "height": 0.8}, *STEPS[1:]],
        [STEPS[0], {"step": "fit", "aspect": 0.75}, *STEPS[1:]],
    ],
    ids=["colour", "another filter", "equalize", "centre crop", "fit"],
)
def test_preprocessing_that_training_would_not_do_is_refused(
    tmp_path: Path, encoded: Encoded, steps: list[dict[str, Any]]
) -> None:
    """Passed over in silence, it would be done when serving only."""
    corpus = Corpus("x", rows(tmp_path, {"a": encoded(natural(40, 30))}))
    with pytest.raises(TrainingError, match=r"grey images .*bilinear") as caught:
        load_pixels(corpus, Preprocessing(steps), margin=(2, 2))
    assert caught.value.field == "preprocessing"
