"""Network → ONNX bytes, proven equal to the network at batch 1, 2 and 64 before anyone may seal them."""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import Message
from torch import nn

from encode.errors import TrainingError
from encode.runtime import ort
from train.networks.pen_residual import WithTrace

OPSET = 20
PARITY_BATCHES = (1, 2, 64)
PARITY_TOLERANCE = 1e-4
"""Largest absolute difference allowed in any value of an embedding whose values lie within about ± 1."""


def export_onnx(network: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """The network as one self-contained ONNX file with a free batch size and no trace of where it was made.

    Parameters
    ----------
    network : takes float32 (N, *input_shape) and returns float32 (N, D).

    Raises
    ------
    TrainingError if ONNX Runtime's output differs from the network's by more than `PARITY_TOLERANCE`.
    """
    network = network.eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros(2, *input_shape)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The exporter warns of its own deprecated internals; parity below is what counts.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        target = Path(folder) / "encoder.onnx"
        torch.onnx.export(
            network,
            (example,),
            target,
            dynamo=True,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
        data = _without_annotations(target.read_bytes())
    check_parity(network, data, input_shape)
    return data


def _without_annotations(data: bytes) -> bytes:
    """The same network without stack traces: the exporter writes this machine's paths beside every node."""
    model = onnx.load_from_string(data)
    _clear_annotations(model)
    return bytes(model.SerializeToString(deterministic=True))


def _clear_annotations(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                _clear_annotations(inner)


@torch.no_grad()
def check_parity(network: nn.Module, data: bytes, input_shape: tuple[int, ...]) -> float:
    """Largest absolute difference between network and ONNX over `PARITY_BATCHES`; raises TrainingError beyond it.

    What the network rounds may fall on the neighbouring step: its `rounding` is allowed for.
    """
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    differences = []
    for batch in PARITY_BATCHES:
        inputs = torch.randn(batch, *input_shape, generator=generator)
        found = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})[0]
        allowed = network.rounding(found.shape[1]).numpy() if isinstance(network, WithTrace) else 0.0
        differences.append((np.abs(found - network(inputs).numpy()) - allowed).max())
    worst = float(np.max(differences))
    if not worst <= PARITY_TOLERANCE:  # NaN is no parity either
        raise TrainingError(f"the exported network differs from the trained one by {worst:.2g}", field="encoder.onnx")
    return worst
