"""Network → ONNX bytes, proven equal to the network at batch 1, 2 and 64 before anyone may seal them."""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from encode.errors import TrainingError

OPSET = 20
PARITY_BATCHES = (1, 2, 64)
PARITY_TOLERANCE = 1e-4
"""Largest absolute difference allowed in any value of an embedding whose values lie in [−1, 1]."""


def export_onnx(network: nn.Module, input_shape: tuple[int, int, int]) -> bytes:
    """The network as one self-contained ONNX file with a free batch size.

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
        data = target.read_bytes()
    check_parity(network, data, input_shape)
    return data


@torch.no_grad()
def check_parity(network: nn.Module, data: bytes, input_shape: tuple[int, int, int]) -> float:
    """Largest absolute difference between network and ONNX over `PARITY_BATCHES`; raises TrainingError beyond it."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in PARITY_BATCHES:
        inputs = torch.randn(batch, *input_shape, generator=generator)
        found = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})[0]
        worst = max(worst, float(np.abs(found - network(inputs).numpy()).max()))
    if worst > PARITY_TOLERANCE:
        raise TrainingError(f"the exported network differs from the trained one by {worst:.2g}", field="encoder.onnx")
    return worst
