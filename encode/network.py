"""The ONNX network of a bundle, made ready to run: a session, wrapped as `encode.manifest.NetworkSpec` says.

    row = f(x),   and row / max(‖row‖, 1e-12) where the manifest asks for the unit norm

A network that was exported elsewhere is run unchanged: the channels are moved last, the output wanted is chosen, and
rows are normalised around it, here.
"""

import os
from typing import cast

import numpy as np
from numpy.typing import NDArray

from encode.errors import BundleCorrupt, BundleShapeMismatch
from encode.manifest import ENCODER, NetworkSpec
from encode.runtime import ort

_LEAST_NORM = np.float32(1e-12)
"""An output of zeros stays zeros: finite, and like nobody."""

# What runs the network, most wanted first; the `gpu` extra brings the first, and without a device it falls back.
_PREFERENCE = ("CUDAExecutionProvider", "CPUExecutionProvider")


def open_session(data: bytes, threads: int) -> "ort.InferenceSession":
    """The session of a network's bytes; whatever ONNX Runtime raises."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads burn the quota of a container that shares its processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights beside the file would be looked for where the process happens to run: no digest covers those.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    available = ort.get_available_providers()
    return ort.InferenceSession(data, options, providers=[name for name in _PREFERENCE if name in available])


class Network:
    """Prepared inputs → rows; safe to use from several threads at once.

    Parameters
    ----------
    data : the ONNX file's bytes.
    spec : how it is wrapped; None for a network that needs nothing.
    threads : intra-op threads.

    Raises
    ------
    BundleCorrupt : ONNX Runtime cannot load it. BundleShapeMismatch : not one input, or not the output named.

    Attributes
    ----------
    providers : what runs it.
    """

    def __init__(self, data: bytes, spec: NetworkSpec | None, threads: int) -> None:
        self._spec = spec or NetworkSpec()
        try:
            self._session = open_session(data, threads)
        except Exception as error:  # ONNX Runtime has a class for every way to be damaged
            raise BundleCorrupt("not a network that ONNX Runtime can load", field=ENCODER) from error
        # Asked of the session, not of the installed package: a GPU build runs on the processor where there is no GPU.
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        inputs, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        if len(inputs) != 1 or (self._spec.output is None and len(outputs) != 1):
            raise BundleShapeMismatch(
                f"the network has {len(inputs)} inputs and {len(outputs)} outputs, one of each is needed", field=ENCODER
            )
        if self._spec.output is not None and self._spec.output not in outputs:
            raise BundleShapeMismatch(
                f"the network has no output {self._spec.output!r}, but {', '.join(outputs)}", field=ENCODER
            )
        self._input: str = inputs[0].name
        self._output: str = self._spec.output or outputs[0]

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Prepared inputs float32 (N, C, H, W) or (N, C, T), N >= 1 → float32 (N, D)."""
        if self._spec.layout == "NHWC":
            inputs = np.ascontiguousarray(np.moveaxis(inputs, 1, -1))
        if self._spec.one_by_one:
            rows = np.concatenate([self._rows(inputs[index : index + 1]) for index in range(len(inputs))])
        else:
            rows = self._rows(inputs)
        if self._spec.normalise:
            rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _LEAST_NORM)
        return rows

    def _rows(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the graph puts out; trailing sides of one value, as of (N, D, 1, 1), are dropped."""
        found = np.asarray(self._session.run([self._output], {self._input: inputs})[0])
        if found.ndim > 2 and found.size == found.shape[0] * found.shape[1]:
            found = found.reshape(found.shape[:2])
        return cast(NDArray[np.float32], found.astype(np.float32, copy=False))
