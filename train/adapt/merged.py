"""The adapted network as it will be served, proven equal to encoder and head run one after the other."""

from dataclasses import dataclass

import numpy as np

from encode.errors import TrainingError
from encode.manifest import NetworkSpec
from encode.network import Network
from train.adapt.graph import with_head
from train.adapt.head import Head
from train.adapt.rows import Rows
from train.adapt.source import Source

TOLERANCE = 1e-4
"""Largest difference of a value, over the largest value of the rows."""
BATCHES = (1, 2, 16)


@dataclass(frozen=True)
class Merged:
    """An ONNX file, how it is wrapped, and how far it is from encoder and head in turn."""

    data: bytes
    network: NetworkSpec | None
    difference: float


def merge_head(source: Source, head: Head | None, rows: Rows) -> Merged:
    """Encoder and head as one file, checked on the first usable of `rows`; without a head the encoder as it was.

    Raises TrainingError where they differ.
    """
    network = source.manifest.network
    if head is None:
        return Merged(source.data, network, 0.0)
    data, wrapped = _one_file(source, head)
    before, after = Network(source.data, network, 1), Network(data, wrapped, 1)
    usable = [row for row, kept in zip(rows.rows, rows.acquired.usable, strict=True) if kept]
    inputs = np.stack([source.encode.prepare(row.load()) for row in usable[: max(BATCHES)]])
    worst = 0.0
    for batch in BATCHES:
        plain = before.run(inputs[:batch])
        expected = np.concatenate([head.apply(plain[:, : source.vector]), plain[:, source.vector :]], axis=1)
        reach = max(float(np.abs(expected).max()), 1e-12)
        worst = max(worst, float(np.abs(after.run(inputs[:batch]) - expected).max()) / reach)
    if not worst <= TOLERANCE:  # NaN is no parity either
        raise TrainingError(f"encoder and head as one file differ from the two by {worst:.2g}", field="encoder")
    return Merged(data, wrapped, worst)


def require_mergeable(source: Source) -> None:
    """Raise TrainingError or a BundleError, before anything is fitted, where no head can be put behind the encoder."""
    size = source.vector
    step = Head((np.zeros((size, size), np.float32),), np.zeros(0, np.float32), source.manifest.embedding.unit_norm)
    data, wrapped = _one_file(source, step)
    Network(data, wrapped, 1)


def _one_file(source: Source, head: Head) -> tuple[bytes, NetworkSpec | None]:
    """Encoder and head, and what is still to be done around them."""
    network = source.manifest.network
    wrapped = None if network is None else network.model_copy(update={"output": None, "normalise": False})
    return with_head(source.data, head, source.manifest.embedding, network), wrapped
