"""The steps as data: what each does to pixels, and that a wrong list is refused by the step's name."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encode.errors import BundleCorrupt
from encode.preprocessing import CentreCrop, Colour, Equalize, Fit, Preprocessing, Resize, Scale

GREY = np.random.default_rng(0).integers(0, 256, (30, 24), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (30, 24, 3), dtype=np.uint8)

STEPS: list[dict[str, Any]] = [
    {"step": "colour", "mode": "L"},
    {"step": "resize", "height": 15, "width": 12, "filter": "box"},
    {"step": "scale", "mean": [0.5], "std": [0.25]},
]


def replaced(position: int, **changes: Any) -> list[dict[str, Any]]:
    return [step | changes if number == position else step for number, step in enumerate(STEPS)]


def test_the_steps_survive_being_written_and_read() -> None:
    whole = [
        {"step": "colour", "mode": "BGR"},
        {"step": "centre_crop", "height": 0.8, "width": 0.9},
        {"step": "fit", "aspect": 0.8},
        {"step": "equalize"},
        {"step": "resize", "height": 112, "width": 90, "filter": "lanczos"},
        {"step": "scale", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "per_image": False},
    ]
    written = Preprocessing(whole).describe()
    assert [step["step"] for step in written] == [step["step"] for step in whole]
    again = Preprocessing(written)
    assert again.describe() == written
    assert again.shape == (3, 112, 90)
    picture = Image.fromarray(COLOUR)
    np.testing.assert_array_equal(again(picture), Preprocessing(whole)(picture))


def test_defaults_are_written_out() -> None:
    """A manifest says everything: a later default cannot change what an old bundle does."""
    plain = [{"step": "colour"}, {"step": "resize", "height": 2, "width": 3}, {"step": "scale"}]
    assert Preprocessing(plain).describe() == [
        {"step": "colour", "mode": "L"},
        {"step": "resize", "height": 2, "width": 3, "filter": "bilinear"},
        {"step": "scale", "mean": [0.0], "std": [1.0], "per_image": False},
    ]


def test_grey_is_scaled_by_mean_and_deviation() -> None:
    found = Preprocessing(STEPS)(Image.fromarray(GREY))
    assert found.shape == Preprocessing(STEPS).shape == (1, 15, 12)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    halved = GREY.reshape(15, 2, 12, 2).mean((1, 3))
    # Pillow rounds to whole levels after each direction: one level at most.
    np.testing.assert_allclose(found[0], (halved / 255 - 0.5) / 0.25, atol=1.01 / 255 / 0.25)


@pytest.mark.parametrize("mode", ["RGB", "BGR"])
def test_colour_channels_come_first_and_in_order(mode: str) -> None:
    steps = [{"step": "colour", "mode": mode}, {"step": "resize", "height": 30, "width": 24}, {"step": "scale"}]
    preprocessing = Preprocessing(steps)
    pixels = preprocessing.pixels(Image.fromarray(COLOUR))
    expected = COLOUR.transpose(2, 0, 1)[:: -1 if mode == "BGR" else 1]
    assert preprocessing.shape == pixels.shape == (3, 30, 24)
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_allclose(preprocessing(Image.fromarray(COLOUR)), expected / 255, atol=1e-6)


def test_mean_and_deviation_go_to_their_channels() -> None:
    scale = Scale(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0))
    found = scale.array(np.full((3, 2, 2), 0.5, np.float32))
    np.testing.assert_allclose(found[:, 0, 0], [0.4, 0.15, 0.05], rtol=1e-6)


def test_per_image_scaling_gives_mean_zero_and_deviation_one() -> None:
    found = Preprocessing(replaced(2, per_image=True))(Image.fromarray(GREY))
    assert abs(float(found.mean())) < 1e-5
    assert float(found.std()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_uniform_image_becomes_zeros(level: int) -> None:
    found = Preprocessing(replaced(2, per_image=True))(Image.fromarray(np.full((30, 24), level, np.uint8)))
    np.testing.assert_allclose(found, 0.0, atol=1e-4)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(Colour().apply(deep)), GREY)
    thirty_two = Image.fromarray(GREY.astype(np.int32) * 257)
    assert thirty_two.mode == "I"
    np.testing.assert_array_equal(np.asarray(Colour().apply(thirty_two)), GREY)


def test_what_is_transparent_is_shown_on_mid_grey() -> None:
    """Two files that look the same to a person give the encoder the same pixels, whatever hides behind alpha 0."""
    alpha = np.zeros((30, 24, 1), np.uint8)
    alpha[10:] = 255
    first, second = (np.concatenate([colour, alpha], axis=2) for colour in (COLOUR, np.where(alpha > 0, COLOUR, 9)))
    pictures = [Image.fromarray(pixels.astype(np.uint8)) for pixels in (first, second)]
    seen = [np.asarray(Colour(mode="RGB").apply(picture)) for picture in pictures]
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0][:10], 128)
    np.testing.assert_array_equal(seen[0][10:], COLOUR[10:])


def test_a_transparent_palette_entry_is_shown_on_mid_grey() -> None:
    palette = Image.new("P", (2, 8))
    palette.putdata([0, 1] * 8)
    palette.putpalette([10, 20, 30, 200, 200, 200])
    palette.info["transparency"] = 0
    shown = np.asarray(Colour(mode="RGB").apply(palette))
    np.testing.assert_array_equal(shown[:, 0], 128)
    np.testing.assert_array_equal(shown[:, 1], 200)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LA", "RGBA"])
def test_every_mode_that_decodes_becomes_grey(mode: str) -> None:
    found = Preprocessing(STEPS).pixels(Image.fromarray(GREY).convert(mode))
    assert found.shape == (1, 15, 12)
    if mode not in ("1", "P"):
        straight = Preprocessing(STEPS).pixels(Image.fromarray(GREY))
        assert np.abs(found.astype(int) - straight).max() <= 3


def test_centre_crop_keeps_the_middle() -> None:
    kept = np.asarray(CentreCrop(height=0.5, width=0.25).apply(Image.fromarray(GREY)))
    np.testing.assert_array_equal(kept, GREY[7:22, 9:15])
    assert CentreCrop(height=0.0, width=0.0).apply(Image.fromarray(GREY)).size == (1, 1)


@pytest.mark.parametrize(("aspect", "size"), [(0.8, (24, 30)), (1.0, (24, 24)), (0.5, (15, 30)), (2.0, (24, 12))])
def test_fit_cuts_and_never_stretches(aspect: float, size: tuple[int, int]) -> None:
    cut = np.asarray(Fit(aspect=aspect).apply(Image.fromarray(GREY)))
    assert cut.shape[::-1] == size
    top, left = (30 - size[1]) // 2, (24 - size[0]) // 2
    np.testing.assert_array_equal(cut, GREY[top : top + size[1], left : left + size[0]])


@pytest.mark.parametrize("filter", ["box", "bilinear", "bicubic", "lanczos"])
def test_resize_uses_the_filter_named(filter: Any) -> None:
    resized = Resize(height=7, width=5, filter=filter).apply(Image.fromarray(GREY))
    expected = Image.fromarray(GREY).resize((5, 7), Image.Resampling[filter.upper()])
    np.testing.assert_array_equal(np.asarray(resized), np.asarray(expected))


def test_equalize_flattens_the_histogram() -> None:
    dark = Image.fromarray(GREY // 4)
    levels = np.asarray(Equalize().apply(dark))
    assert levels.max() > 240
    assert levels.min() < 15


BAD: dict[str, tuple[Any, str, str]] = {
    "no steps": ([], "exactly one", "preprocessing"),
    "no colour": (STEPS[1:], "exactly one", "preprocessing"),
    "two colours": ([STEPS[0], *STEPS], "exactly one", "preprocessing"),
    "no resize": ([STEPS[0], STEPS[2]], "exactly one", "preprocessing"),
    "no scale": (STEPS[:2], "`scale` as the last", "preprocessing"),
    "scale twice": ([STEPS[0], STEPS[2], *STEPS[1:]], "only once", "preprocessing"),
    "scale first": ([STEPS[2], *STEPS[:2]], "`scale` as the last", "preprocessing"),
    "resize before colour": ([STEPS[1], STEPS[0], STEPS[2]], "must come before", "preprocessing.colour"),
    "equalize before colour": ([{"step": "equalize"}, *STEPS], "must come before", "preprocessing.colour"),
    "unknown step": (["blur", *STEPS], "", "preprocessing.0"),
    "step of another name": ([{"step": "blur"}, *STEPS], "'blur'", "preprocessing.0"),
    "step without a name": ([{"mode": "L"}, *STEPS[1:]], "discriminator", "preprocessing.0"),
    "misspelt parameter": (replaced(1, heigth=3), "Extra inputs", "preprocessing.1.resize.heigth"),
    "unknown mode": (replaced(0, mode="CMYK"), "'L', 'RGB' or 'BGR'", "preprocessing.0.colour.mode"),
    "unknown filter": (replaced(1, filter="magic"), "'box'", "preprocessing.1.resize.filter"),
    "no height": ([STEPS[0], {"step": "resize", "width": 3}, STEPS[2]], "required", "preprocessing.1.resize.height"),
    "height 0": (replaced(1, height=0), "greater than or equal to 1", "preprocessing.1.resize.height"),
    "width 5,000": (replaced(1, width=5_000), "less than or equal to 4096", "preprocessing.1.resize.width"),
    "deviation 0": (replaced(2, std=[0.0]), "greater than 0", "preprocessing.2.scale.std.0"),
    "mean NaN": (replaced(2, mean=[float("nan")]), "finite", "preprocessing.2.scale.mean.0"),
    "mean of 3 for grey": (replaced(2, mean=[0.1, 0.2, 0.3]), "each of 1 channels", "preprocessing.scale"),
    "crop above 1": (
        [{"step": "centre_crop", "height": 1.5}, *STEPS],
        "less than or equal to 1",
        "preprocessing.0.centre_crop.height",
    ),
    "aspect 0": ([{"step": "fit", "aspect": 0.0}, *STEPS], "greater than", "preprocessing.0.fit.aspect"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_list_is_refused_by_the_steps_name(name: str) -> None:
    steps, message, field = BAD[name]
    with pytest.raises(BundleCorrupt, match=message or "valid") as caught:
        Preprocessing(steps)
    assert caught.value.field == field


def test_pixels_are_what_scaling_starts_from() -> None:
    preprocessing = Preprocessing(STEPS)
    pixels: NDArray[np.uint8] = preprocessing.pixels(Image.fromarray(GREY))
    assert pixels.dtype == np.uint8
    scaled = preprocessing.scale.array(pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(scaled, preprocessing(Image.fromarray(GREY)))
