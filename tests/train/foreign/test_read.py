"""What is demanded of an encoder of another maker, and how each refusal says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from encode.errors import TrainingError
from train.foreign import ForeignEncoder, read_foreign
from train.foreign_spec import read_foreign_spec

PLAIN = "[input]\nheight = 32\nwidth = 32\n"

Build = Callable[..., bytes]
WriteSpec = Callable[[str], Path]
Read = Callable[..., ForeignEncoder]


@pytest.fixture
def read(foreign_network: Build, write_spec: WriteSpec, tmp_path: Path) -> Read:
    """``read(spec, **of the network)``."""

    def go(spec: str = PLAIN, **network: Any) -> ForeignEncoder:
        path = tmp_path / "model.onnx"
        path.write_bytes(foreign_network(**network))
        return read_foreign(path, read_foreign_spec(write_spec(spec)))

    return go


def test_a_plain_one_is_taken_as_it_is(read: Read, foreign_network: Build) -> None:
    found = read()
    assert found.data == foreign_network()
    assert (found.size, found.unit_norm, found.network.output) == (24, False, "embedding")
    assert not found.network.one_by_one


def test_norms_are_measured(read: Read) -> None:
    assert read(normalised=True).unit_norm
    assert read(PLAIN + "[output]\nnormalise = true\n").unit_norm


def test_a_batch_of_one_is_found_out(read: Read) -> None:
    assert read(batch=1).network.one_by_one


def test_half_precision_and_trailing_sides_of_one_are_taken(read: Read) -> None:
    assert read(kind=TensorProto.FLOAT16).size == 24
    assert read(cubed=True).size == 24


@pytest.mark.parametrize(
    ("spec", "network", "field", "says"),
    [
        (PLAIN + 'colour = "L"', {}, "preprocessing.input.colour", "reads 3x32x32, the preprocessing makes 1x32x32"),
        ("[input]\nheight = 40\nwidth = 32", {}, "preprocessing.input", "makes 3x40x32"),
        (PLAIN, {"shape": (32, 32, 3)}, "preprocessing.input.layout", 'layout = "NHWC"'),
        (PLAIN + 'layout = "NHWC"', {}, "preprocessing.input.layout", 'layout = "NCHW"'),
        (PLAIN, {"shape": (3072,)}, "preprocessing.input", "2 dimensions"),
        (PLAIN, {"batch": 4}, "encoder", "exactly 4"),
        (PLAIN, {"reads": TensorProto.UINT8}, "encoder", r"tensor\(uint8\)"),
        (PLAIN, {"second": "early"}, "preprocessing.output.name", "2 outputs: early, embedding"),
        (PLAIN + '[output]\nname = "fc1"', {}, "preprocessing.output.name", "no output 'fc1'"),
        (PLAIN, {"kind": TensorProto.INT64}, "preprocessing.output.name", "int64"),
        (PLAIN, {"nan": True}, "encoder", "NaN"),
        (PLAIN, {"constant": True}, "encoder", "same for every sample"),
        (PLAIN, {"mixing": True}, "encoder", "depends on its batch"),
        (PLAIN, {"noisy": True}, "encoder", "when they are run again"),
        (PLAIN + "mean = [255.0]", {"picky": True}, "encoder", r"shape \(0, 24\), not one row a sample"),
        (PLAIN, {"size": 4097}, "encoder", "at most 4,096 values"),
        (PLAIN, {"opset": 99}, "encoder", "opset"),
        (PLAIN, {"ir_version": 99}, "encoder", "IR version"),
    ],
)
def test_refusals_name_the_key(read: Read, spec: str, network: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(TrainingError, match=says) as caught:
        read(spec, **network)
    assert caught.value.field == field
    assert caught.value.fix


def test_what_depends_on_its_batch_may_run_alone(read: Read) -> None:
    with pytest.raises(TrainingError, match="same for every sample"):  # minus its own mean, one row is zero
        read(PLAIN + "batch = 1", mixing=True)


def test_weights_in_another_file_are_refused(
    saved_apart: Path, write_spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they would be found."""
    monkeypatch.chdir(saved_apart.parent)
    with pytest.raises(TrainingError, match="other files"):
        read_foreign(saved_apart, read_foreign_spec(write_spec(PLAIN)))


def test_files_that_are_no_network(write_spec: WriteSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = read_foreign_spec(write_spec(PLAIN))
    with pytest.raises(TrainingError, match="cannot be read"):
        read_foreign(tmp_path / "none.onnx", spec)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(TrainingError, match="no network"):
        read_foreign(tmp_path / "text.onnx", spec)
    monkeypatch.setattr("train.foreign_graph.MOST_BYTES", 3)
    with pytest.raises(TrainingError, match="larger than"):
        read_foreign(tmp_path / "text.onnx", spec)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[input]\nheight = 32", "preprocessing.input"),
        ("[input]\nheight = 0\nwidth = 32", "preprocessing.input.height"),
        (PLAIN + "std = [0.0]", "preprocessing.input.std.0"),
        (PLAIN + "mean = [1.0, 2.0]", "preprocessing.scale"),
        (PLAIN + 'color = "RGB"', "preprocessing.input.color"),
        (PLAIN + "batch = 8", "preprocessing.input.batch"),
        (PLAIN + "per_image = true\nstd = [2.0]", "preprocessing.input.std"),
        ('modality = "signature"\nsteps = [{step = "bromley1993"}]\n[input]\nmean = [1.0]', "preprocessing.input.mean"),
        ('modality = "signature"\nsteps = [{step = "bromley1993"}]\n[crop]\nshare = 0.5', "preprocessing.crop"),
        ("[input", "preprocessing"),
        ('modality = "signature"\n' + PLAIN, "preprocessing.steps"),
        ('modality = "signature"\nsteps = [{step = "colour"}]', "preprocessing"),
        ('steps = [{step = "bromley1993"}]', "preprocessing"),
    ],
)
def test_a_wrong_file_is_refused_by_its_key(write_spec: WriteSpec, text: str, field: str) -> None:
    with pytest.raises(TrainingError) as caught:
        read_foreign_spec(write_spec(text)).preprocessing()
    assert caught.value.field == field


def test_a_missing_spec(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        read_foreign_spec(tmp_path / "none.toml")


STROKES = 'modality = "signature"\nsteps = [{step = "bromley1993", points = 32, features = ["x", "y"]}]\n'


def test_a_network_of_strokes(read: Read) -> None:
    found = read(STROKES, shape=(2, 32))
    assert found.preprocessing.shape == (2, 32)
    assert np.isfinite(found.difference)
    last = read(STROKES + '[input]\nlayout = "NHWC"', shape=(32, 2))
    assert last.preprocessing.shape == (2, 32)
    with pytest.raises(TrainingError, match="reads 3x32, the preprocessing makes 2x32") as caught:
        read(STROKES, shape=(3, 32))
    assert caught.value.field == "preprocessing.steps"
