"""Encoders as other makers export them, and pictures of people with some colour."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 24

ForeignNetwork = Callable[..., bytes]
WriteSpec = Callable[..., Path]


@pytest.fixture(scope="session")
def foreign_network() -> ForeignNetwork:
    """``foreign_network(shape, …)``: ONNX bytes, patches of 8 x 8 → 24 numbers, whose sum over the image is the row.

    `shape` is one input's in the graph's own layout; `batch` a name or a number; `normalised` ends in the unit norm;
    `kind` of the output; `second` adds an output of that name before the embedding; `mixing` subtracts the batch's
    mean; `opset`; `nan` divides by zero; `noisy` adds numbers drawn anew in every run, the same in every session;
    `picky` leaves out the rows of samples whose first value is negative.
    """

    def build(
        shape: tuple[int, ...] = (3, 32, 32),
        *,
        layout: str = "NCHW",
        batch: str | int = "n",
        size: int = SIZE,
        scale: float = 1.0,
        normalised: bool = False,
        second: str | None = None,
        kind: int = TensorProto.FLOAT,
        reads: int = TensorProto.FLOAT,
        mixing: bool = False,
        nan: bool = False,
        constant: bool = False,
        cubed: bool = False,
        noisy: bool = False,
        picky: bool = False,
        opset: int = 17,
        ir_version: int = 9,
    ) -> bytes:
        pixels = int(np.prod(shape))
        weights = np.random.default_rng(5).normal(size=(pixels, size)).astype(np.float32) * np.float32(scale)
        if constant:
            weights *= 0.0
        nodes = [
            helper.make_node("Cast", ["image"], ["read"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["read"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["rows0"]),
        ]
        last = "rows0"
        if mixing:
            nodes += [
                helper.make_node("ReduceMean", [last], ["mean"], axes=[0], keepdims=1),
                helper.make_node("Sub", [last, "mean"], ["rows1"]),
            ]
            last = "rows1"
        if noisy:
            nodes += [
                helper.make_node("RandomNormal", [], ["chance"], shape=[1, size], seed=3.0),
                helper.make_node("Add", [last, "chance"], ["rows4"]),
            ]
            last = "rows4"
        if picky:
            nodes += [
                helper.make_node("Gather", ["flat", "first"], ["column"], axis=1),
                helper.make_node("GreaterOrEqual", ["column", "nothing"], ["kept"]),
                helper.make_node("Compress", [last, "kept"], ["rows5"], axis=0),
            ]
            last = "rows5"
        if normalised:
            nodes.append(helper.make_node("LpNormalization", [last], ["rows2"], axis=1, p=2))
            last = "rows2"
        if nan:
            nodes += [helper.make_node("Sub", [last, last], ["zero"]), helper.make_node("Div", ["zero", "zero"], ["q"])]
            last = "q"
        out: list[int | str] = [batch, size]
        if cubed:
            nodes.append(helper.make_node("Unsqueeze", [last, "axes"], ["rows3"]))
            last, out = "rows3", [batch, size, 1, 1]
        nodes.append(helper.make_node("Cast", [last], ["embedding"], to=kind))
        outputs = [helper.make_tensor_value_info("embedding", kind, out)]
        if second is not None:
            nodes.append(helper.make_node("Relu", ["flat"], [second]))
            outputs.insert(0, helper.make_tensor_value_info(second, TensorProto.FLOAT, [batch, pixels]))
        held = [numpy_helper.from_array(weights, "weights")]
        if cubed:
            held.append(numpy_helper.from_array(np.array([2, 3], np.int64), "axes"))
        if picky:
            held.append(numpy_helper.from_array(np.array(0, np.int64), "first"))
            held.append(numpy_helper.from_array(np.array(0.0, np.float32), "nothing"))
        graph = helper.make_graph(
            nodes, "foreign", [helper.make_tensor_value_info("image", reads, [batch, *shape])], outputs, held
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
        return bytes(model.SerializeToString())

    return build


@pytest.fixture
def write_spec(tmp_path: Path) -> WriteSpec:
    """``write_spec(text)``: a preprocessing file."""

    def write(text: str) -> Path:
        path = tmp_path / "spec.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def colour_face(face: Callable[[str, int], NDArray[np.uint8]]) -> Callable[[str, int], NDArray[np.uint8]]:
    """``colour_face(person, shot)``: uint8 (48, 40, 3), the synthetic picture with a tint of the person's own."""

    def draw(person: str, shot: int) -> NDArray[np.uint8]:
        tint = np.random.default_rng(list(person.encode())).uniform(0.5, 1.0, 3)
        pixels: NDArray[np.uint8] = (face(person, shot)[:, :, None] * tint).astype(np.uint8)
        return pixels

    return draw


@pytest.fixture(scope="session")
def people_folder(
    tmp_path_factory: pytest.TempPathFactory,
    encoded: Callable[..., bytes],
    colour_face: Callable[[str, int], NDArray[np.uint8]],
) -> Path:
    """A folder corpus of 30 people with seven colour pictures each."""
    root = tmp_path_factory.mktemp("foreign") / "people"
    for number in range(30):
        folder = root / f"p{number:02}"
        folder.mkdir(parents=True)
        for shot in range(7):
            (folder / f"{shot}.png").write_bytes(encoded(colour_face(folder.name, shot)))
    return root


@pytest.fixture(scope="session")
def saved_apart(tmp_path_factory: pytest.TempPathFactory, foreign_network: ForeignNetwork) -> Path:
    """An ONNX file whose weights lie in another file."""
    path = tmp_path_factory.mktemp("apart") / "model.onnx"
    model = onnx.load_from_string(foreign_network())
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path
