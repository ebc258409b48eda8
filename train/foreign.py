"""An ONNX encoder of another maker: what is demanded of it, and what its manifest says.

The file is taken as it is. Before anything is fitted behind it, it is run on noise: twice, and at batches of 1, 2 and 5
with the same samples in other company. So a network whose rows depend on chance or on their batch (dropout or batch
statistics left on at export) is refused here and not found out by different answers to the same claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encode.errors import BundleError, TrainingError
from encode.manifest import CorpusUse, EmbeddingSpec, Manifest, NetworkSpec, sha256_hex
from encode.network import Network
from encode.preprocessing import Preprocessing
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing
from train.foreign_graph import Graph, open_graph
from train.foreign_spec import ForeignSpec
from train.sealing import draft_manifest

TOLERANCE = 1e-4
"""Largest difference of a value between batches, over the largest value of the rows."""
_UNIT = 1e-3
_SAMPLES = 5

MOST_VALUES = 4096
"""Of an embedding: the background holds two square matrices of this side."""


@dataclass(frozen=True)
class ForeignEncoder:
    """An encoder that holds what is demanded.

    Attributes
    ----------
    data : the ONNX file, unchanged.
    unit_norm : whether its rows, normalised if the manifest asks for it, have the norm 1.
    difference : largest difference of a value between batches, over the largest value.
    """

    data: bytes
    file: str
    modality: Modality
    preprocessing: Preprocessing | StrokePreprocessing
    network: NetworkSpec
    size: int
    unit_norm: bool
    difference: float

    def manifest(self, name: str, corpora: Sequence[CorpusUse] = ()) -> Manifest:
        """Finished but for identity model, parts and digests; `corpora` are those used behind the encoder."""
        return draft_manifest(
            name,
            self.modality,
            self.preprocessing,
            EmbeddingSpec(size=self.size, unit_norm=self.unit_norm),
            corpora=corpora,
            recipe=self.describe(name),
            network=self.network,
        )

    def describe(self, name: str) -> dict[str, Any]:
        """For the manifest, where others have their recipe."""
        return {"name": name, "imported": self.file, "sha256": sha256_hex(self.data)}


def read_foreign(path: Path, spec: ForeignSpec) -> ForeignEncoder:
    """The encoder at `path`, run and checked.

    Raises
    ------
    TrainingError, its field `encoder` or the key of `preprocessing` at fault: it cannot be loaded, does not read what
    the steps put out, puts out something other than finite numbers, or rows that depend on their batch.
    """
    preprocessing, wrapped = spec.preprocessing(), spec.network()
    graph = open_graph(path)
    graph.require_input(preprocessing.shape, wrapped.layout)
    output = graph.require_output(wrapped.output)
    fixed = graph.batch == 1 or wrapped.one_by_one
    wrapped = wrapped.model_copy(update={"output": output, "one_by_one": fixed})
    rows, difference = _try(graph, wrapped, _noise(preprocessing))
    norms = np.linalg.norm(rows, axis=1)
    return ForeignEncoder(
        data=graph.data,
        file=path.name,
        modality=spec.modality,
        preprocessing=preprocessing,
        network=wrapped,
        size=rows.shape[1],
        unit_norm=bool((np.abs(norms - 1.0) < _UNIT).all()),
        difference=difference,
    )


def _noise(preprocessing: Preprocessing | StrokePreprocessing) -> NDArray[np.float32]:
    """Inputs float32 (5, …) of the size and range that samples have."""
    generator = np.random.default_rng(0)
    shape = (_SAMPLES, *preprocessing.shape)
    if isinstance(preprocessing, StrokePreprocessing):
        return generator.normal(size=shape).astype(np.float32)
    # Blurred: pure noise averages out in a deep network, and every image would give nearly the same row.
    bytes_ = generator.integers(0, 256, shape).astype(np.float32)
    white = np.float32(preprocessing.scale.white / 255.0)
    for axis in (2, 3):
        for _ in range(3):
            bytes_ = (bytes_ + np.roll(bytes_, 1, axis) + np.roll(bytes_, 2, axis)) / np.float32(3.0)
    return np.stack([preprocessing.scale.array(one * white) for one in bytes_]).astype(np.float32)


def _try(graph: Graph, wrapped: NetworkSpec, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Rows float32 (5, D) of the noise, and how far they depend on their batch."""
    try:
        network = Network(graph.data, wrapped, 1)
    except BundleError as error:
        raise TrainingError(error.message, field="encoder") from error
    whole = _run(network, inputs)
    if not np.isfinite(whole).all():
        raise TrainingError(
            "the output holds NaN or infinities", field="encoder", fix="check mean and std, and the export"
        )
    reach = max(float(np.abs(whole).max()), 1e-12)
    if float(np.ptp(whole, axis=0).max()) < TOLERANCE * reach:
        raise TrainingError(
            "the output is the same for every sample", field="encoder", fix="check mean and std, and the output's name"
        )
    # The same session throughout: a new one would draw the same chance again.
    if not float(np.abs(_run(network, inputs) - whole).max()) <= TOLERANCE * reach:
        raise TrainingError(
            "the same samples give other embeddings when they are run again",
            field="encoder",
            fix="export it in inference mode, without dropout or random numbers",
        )
    apart = [
        np.abs(_run(network, inputs[start : start + size]) - whole[start : start + size]).max()
        for size in (1, 2)
        for start in range(len(inputs) - size + 1)
    ]
    difference = float(np.max(apart)) / reach
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"the embedding of a sample depends on its batch: it differs by {difference:.1e} of the largest value",
            field="encoder",
            fix="export it in inference mode, or have it run one by one: [input] batch = 1",
        )
    return whole, difference


def _run(network: Network, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows float32 (N, D). Raises TrainingError for any other shape."""
    try:
        rows = network.run(inputs)
    except Exception as error:  # ONNX Runtime has a class for every way not to fit
        raise TrainingError(
            f"the network does not run on {len(inputs)} samples of shape {inputs.shape[1:]}",
            field="encoder",
            fix="export it with a free batch dimension, or have it run one by one: [input] batch = 1",
        ) from error
    if rows.ndim != 2 or len(rows) != len(inputs) or not 1 <= rows.shape[1] <= MOST_VALUES:
        raise TrainingError(
            f"for {len(inputs)} samples the output has the shape {rows.shape}, not one row a sample, of at most "
            f"{MOST_VALUES:,} values",
            field="encoder",
            fix="name the output that is the embedding: [output] name = …",
        )
    return rows
