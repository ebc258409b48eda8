"""The stroke step as data: what it puts out, and that a wrong list is refused by the field at fault."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from encode.bromley_features import FEATURES, bromley_features
from encode.errors import BundleCorrupt
from encode.preprocessing import Preprocessing
from encode.sample import Modality, StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing, read_preprocessing
from encode.stroke_steps import Bromley1993
from encode.strokes import read_strokes

Written = Callable[..., StrokesSample]

PLAIN: list[dict[str, Any]] = [{"step": "bromley1993"}]
IMAGES: list[dict[str, Any]] = [{"step": "colour"}, {"step": "resize", "height": 2, "width": 3}, {"step": "scale"}]


def test_the_paper_reads_8_by_200() -> None:
    assert Bromley1993().shape == StrokePreprocessing(PLAIN).shape == (8, 200)


def test_defaults_are_written_out() -> None:
    """A manifest says everything: a later default cannot change what an old bundle does."""
    written = StrokePreprocessing(PLAIN).describe()
    assert written == [{"step": "bromley1993", "points": 200, "features": list(FEATURES[:8])}]
    assert StrokePreprocessing(written).describe() == written


def test_rows_are_the_named_features_in_order(written: Written) -> None:
    chosen = ["sin_curvature", "x", "pen"]
    preprocessing = StrokePreprocessing([{"step": "bromley1993", "points": 90, "features": chosen}])
    trajectory = read_strokes(written())
    found = preprocessing(trajectory)
    assert found.shape == preprocessing.shape == (3, 90)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    named = bromley_features(trajectory, 90)
    np.testing.assert_allclose(found, [named["sin_curvature"], named["x"], named["pen"]], atol=1e-6)


BAD: dict[str, tuple[list[Any], str, str]] = {
    "empty": ([], "exactly one step", "preprocessing"),
    "twice": (PLAIN * 2, "exactly one step", "preprocessing"),
    "unknown step": ([{"step": "dtw"}], "'bromley1993'|tag", "preprocessing.0"),
    "an image step": (IMAGES[:1], "'bromley1993'|tag", "preprocessing.0"),
    "text": (["bromley1993"], "valid|tag", "preprocessing.0"),
    "misspelt parameter": ([PLAIN[0] | {"point": 3}], "Extra inputs", "preprocessing.0.bromley1993.point"),
    "15 points": ([PLAIN[0] | {"points": 15}], "greater than or equal to 16", "preprocessing.0.bromley1993.points"),
    "5,000 points": ([PLAIN[0] | {"points": 5000}], "less than or equal to", "preprocessing.0.bromley1993.points"),
    "no features": ([PLAIN[0] | {"features": []}], "at least 1", "preprocessing.0.bromley1993.features"),
    "unknown feature": (
        [PLAIN[0] | {"features": ["x", "z"]}],
        "'speed'",
        "preprocessing.0.bromley1993.features.1",
    ),
    "a feature twice": ([PLAIN[0] | {"features": ["x", "y", "x"]}], "named twice", "preprocessing.0.bromley1993"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_list_is_refused_by_the_field(name: str) -> None:
    steps, message, field = BAD[name]
    with pytest.raises(BundleCorrupt, match=message) as caught:
        StrokePreprocessing(steps)
    assert (caught.value.field or "").startswith(field)


@pytest.mark.parametrize("modality", Modality)
def test_image_steps_are_read_for_either_modality(modality: Modality) -> None:
    assert isinstance(read_preprocessing(IMAGES, modality), Preprocessing)


def test_stroke_steps_are_for_signatures_alone() -> None:
    assert isinstance(read_preprocessing(PLAIN, Modality.SIGNATURE), StrokePreprocessing)
    with pytest.raises(BundleCorrupt, match="face model cannot read strokes") as caught:
        read_preprocessing(PLAIN, Modality.FACE)
    assert caught.value.field == "preprocessing"


@pytest.mark.parametrize("steps", [PLAIN + IMAGES, IMAGES + PLAIN, [*IMAGES[:1], *PLAIN]])
def test_strokes_and_images_do_not_mix(steps: list[Any]) -> None:
    with pytest.raises(BundleCorrupt) as caught:
        read_preprocessing(steps, Modality.SIGNATURE)
    assert (caught.value.field or "").startswith("preprocessing.")


@pytest.mark.parametrize("steps", [[None], [[{"step": "bromley1993"}]], [{"step": ["bromley1993"]}]])
def test_steps_that_are_no_steps_are_refused(steps: list[Any]) -> None:
    with pytest.raises(BundleCorrupt):
        read_preprocessing(steps, Modality.SIGNATURE)
