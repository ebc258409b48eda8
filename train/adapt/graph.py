"""Encoder and head as one ONNX file: the head's nodes behind the encoder's output.

    rows → (Flatten) → (LpNormalization) → Slice(vector) → head → (LpNormalization) → Concat(trace) → embedding

What the manifest asked to be done around a foreign network (the norm, the output's name) is in the file from then on;
its layout and its batch stay what they were.
"""

from itertools import count
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from encode.errors import TrainingError
from encode.manifest import EmbeddingSpec, NetworkSpec
from train.adapt.head import Floats, Head

LEAST_OPSET = 10
"""From here on Slice takes its bounds as inputs."""


def with_head(data: bytes, head: Head, embedding: EmbeddingSpec, network: NetworkSpec | None) -> bytes:
    """The ONNX file `data` with `head` behind it; its embedding is of the same size.

    Raises TrainingError for an opset too old for it, or a file of another format that ONNX Runtime reads too.
    """
    try:
        model = onnx.load_from_string(data)
    except DecodeError as error:
        raise TrainingError(
            "the network is no ONNX file, behind which a head could be put", field="encoder", fix="export it as ONNX"
        ) from error
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < LEAST_OPSET:
        raise TrainingError(
            f"the network's opset is {opset}, a head needs {LEAST_OPSET}",
            field="encoder",
            fix="convert it: onnx.version_converter.convert_version(model, 17)",
        )
    wrapped = network or NetworkSpec()
    tail = _Tail(model, wrapped.output or model.graph.output[0].name, _free_prefix(data))
    tail.add("Flatten", axis=1)
    if wrapped.normalise:
        tail.add("LpNormalization", axis=1, p=2)
    rows = tail.last
    if embedding.vector is not None:
        tail.cut(rows, 0, embedding.vector)
    x = tail.last
    tail.add("MatMul", tail.constant(head.matrices[0]))
    if len(head.matrices) == 2:
        tail.add("Add", tail.constant(head.shift))
        tail.add("Relu")
        tail.add("MatMul", tail.constant(head.matrices[1]))
    tail.add("Add", x)
    if head.unit_norm:
        tail.add("LpNormalization", axis=1, p=2)
    if embedding.vector is not None:
        vector = tail.last
        tail.cut(rows, embedding.vector, embedding.size)
        tail.join(vector)
    del model.graph.output[:]
    batch = 1 if wrapped.one_by_one else "batch"
    model.graph.output.append(helper.make_tensor_value_info(tail.last, TensorProto.FLOAT, [batch, embedding.size]))
    return bytes(model.SerializeToString(deterministic=True))


def _free_prefix(data: bytes) -> str:
    """What no name in the file holds: the encoder may have a head from an earlier adaptation."""
    return next(prefix for number in count(1) if (prefix := f"adapted{number}_").encode() not in data)


class _Tail:
    """Adds nodes one behind the other; `last` is what the last of them puts out."""

    def __init__(self, model: onnx.ModelProto, start: str, prefix: str) -> None:
        self._graph, self._prefix, self._count = model.graph, prefix, 0
        self.last = start
        kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
        if kinds.get(start, TensorProto.FLOAT) != TensorProto.FLOAT:
            self.add("Cast", to=TensorProto.FLOAT)

    def _new(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"

    def constant(self, values: Floats | np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
        name = self._new()
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *others: str, **attributes: Any) -> None:
        name = self._new()
        self._graph.node.append(helper.make_node(kind, [self.last, *others], [name], name=name, **attributes))
        self.last = name

    def cut(self, rows: str, start: int, end: int) -> None:
        """Columns `start` to `end` of `rows`."""
        self.last = rows
        self.add("Slice", *(self.constant(np.array([value], np.int64)) for value in (start, end, 1)))

    def join(self, before: str) -> None:
        """`before` and what is last, side by side."""
        after, self.last = self.last, before
        self.add("Concat", after, axis=1)
