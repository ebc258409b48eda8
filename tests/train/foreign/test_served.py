"""Encoders of other makers, wrapped, against the plain way of running them: numpy, and the runtime on the same file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encode.errors import BundleShapeMismatch, CropInvalid
from encode.network import open_session
from encode.sample import CropBox, ImageSample
from train.foreign import read_foreign
from train.foreign_spec import read_foreign_spec
from train.sealing import bare_encoder

Build = Callable[..., bytes]
Pixels = NDArray[np.uint8]

ARCFACE = (
    "[input]\nheight = 112\nwidth = 112\nmean = [127.5]\nstd = [127.5]\n[crop]\nfit = false\n"
    "[output]\nname = 'embedding'\nnormalise = true\n"
)
SFACE = '[input]\nheight = 112\nwidth = 112\ncolour = "BGR"\n[crop]\nfit = false\n[output]\nnormalise = true\n'
DLIB = (
    "[input]\nheight = 150\nwidth = 150\nmean = [122.782, 117.001, 104.298]\nstd = [256.0]\nfilter = 'bicubic'\n"
    "[crop]\nfit = false\n"
)
FACENET = "[input]\nheight = 160\nwidth = 160\nper_image = true\nlayout = 'NHWC'\n[crop]\nfit = false\n"
GREY = '[input]\nheight = 64\nwidth = 64\ncolour = "L"\nmean = [127.5]\nstd = [128.0]\nbatch = 1\n[crop]\nfit = false\n'

CASES: dict[str, tuple[str, dict[str, Any], Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "arcface": (ARCFACE, {"shape": (3, 112, 112), "second": "early"}, lambda x: (x - 127.5) / 127.5),
    "sface": (SFACE, {"shape": (3, 112, 112), "scale": 0.01}, lambda x: x[:, :, ::-1]),
    "dlib": (DLIB, {"shape": (3, 150, 150), "scale": 0.01}, lambda x: (x - [122.782, 117.001, 104.298]) / 256.0),
    "facenet": (FACENET, {"shape": (160, 160, 3), "normalised": True}, lambda x: (x - x.mean()) / max(x.std(), 1.0)),
    "grey": (GREY, {"shape": (1, 64, 64), "batch": 1, "normalised": True}, lambda x: (x - 127.5) / 128.0),
}
SIDES = {"arcface": 112, "sface": 112, "dlib": 150, "facenet": 160, "grey": 64}


@pytest.mark.parametrize("name", sorted(CASES))
def test_embeddings_are_those_of_the_plain_way(
    name: str,
    foreign_network: Build,
    colour_face: Callable[[str, int], Pixels],
    encoded: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    text, network, scaled = CASES[name]
    (tmp_path / "spec.toml").write_text(text)
    (tmp_path / "model.onnx").write_bytes(foreign_network(**network))
    spec = read_foreign_spec(tmp_path / "spec.toml")
    foreign = read_foreign(tmp_path / "model.onnx", spec)
    pictures = [colour_face(f"p{number}", 0) for number in range(3)]
    encode = bare_encoder(foreign.manifest("foreign"), foreign.data)
    found = encode.embed([ImageSample(encoded(pixels)) for pixels in pictures])

    session = open_session(foreign.data, 1)
    side, filters = SIDES[name], {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    for row, pixels in zip(found, pictures, strict=True):
        image = Image.fromarray(pixels).convert("L" if name == "grey" else "RGB")
        resized = np.asarray(image.resize((side, side), filters[spec.input.filter]), np.float64).reshape(side, side, -1)
        x = scaled(resized)
        x = x if name == "facenet" else x.transpose(2, 0, 1)
        (expected,) = session.run(["embedding"], {"image": x[None].astype(np.float32)})[0]
        if spec.output.normalise:
            expected = expected / np.linalg.norm(expected)
        np.testing.assert_allclose(row, expected, atol=1e-6 * max(1.0, float(np.abs(expected).max())))


@pytest.fixture
def with_margin(foreign_network: Build, tmp_path: Path) -> Any:
    (tmp_path / "spec.toml").write_text("[input]\nheight = 32\nwidth = 32\n[crop]\nmargin = 0.5\nshare = 0.5\n")
    (tmp_path / "model.onnx").write_bytes(foreign_network())
    foreign = read_foreign(tmp_path / "model.onnx", read_foreign_spec(tmp_path / "spec.toml"))
    return bare_encoder(foreign.manifest("foreign"), foreign.data)


def test_a_margin_widens_the_box(with_margin: Any, encoded: Callable[..., bytes]) -> None:
    """A margin of half on each side and the middle half of that are the box again, unless the picture ends before."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    whole = encoded(pixels)
    seen = with_margin.prepare(ImageSample(whole, CropBox(40, 40, 80, 80)))
    half = with_margin.prepare(ImageSample(encoded(pixels[20:100, 20:100])))
    np.testing.assert_array_equal(seen, half)
    at_the_edge = with_margin.prepare(ImageSample(whole, CropBox(0, 0, 40, 40)))
    cut = with_margin.prepare(ImageSample(encoded(pixels[:60, :60])))
    np.testing.assert_array_equal(at_the_edge, cut)


def test_a_margin_does_not_excuse_a_wrong_box(with_margin: Any, encoded: Callable[..., bytes]) -> None:
    with pytest.raises(CropInvalid):
        with_margin.prepare(ImageSample(encoded(np.zeros((60, 60, 3), np.uint8)), CropBox(40, 40, 80, 80)))


def test_rows_that_are_missing_are_never_another_samples(
    foreign_network: Build, colour_face: Callable[[str, int], Pixels], encoded: Callable[..., bytes], tmp_path: Path
) -> None:
    """Blank inputs and noise give a row each; the first of these pictures does not."""
    (tmp_path / "spec.toml").write_text("[input]\nheight = 32\nwidth = 32\nmean = [30.0]\n")
    (tmp_path / "model.onnx").write_bytes(foreign_network(picky=True))
    foreign = read_foreign(tmp_path / "model.onnx", read_foreign_spec(tmp_path / "spec.toml"))
    encode = bare_encoder(foreign.manifest("foreign"), foreign.data)
    black, other = np.zeros((48, 40, 3), np.uint8), colour_face("ann", 0)
    with pytest.raises(BundleShapeMismatch, match=r"\(1, 24\) for a batch of 2"):
        encode.embed([ImageSample(encoded(black)), ImageSample(encoded(other))])
