"""Learning from another encoder's embeddings of the same samples: distillation.

    L = mean over samples i of (1 − x_i · t_i)  +  relations · mean over pairs i ≠ j of (x_i · x_j − t_i · t_j)²

x are the network's unit-norm embeddings and t the teacher's: centred on the training people's mean, projected on their
principal axes where the teacher's are longer than the network's, and divided by their norm. The first term is hint
regression (Romero et al. 2015) at the last layer, the second the relational one (Park et al. 2019, "distance-wise", on
cosines). Neither needs a label, so people with a single photograph, or none that is named, teach as much as others.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from encode.errors import TrainingError
from eval.files.embedding_file import read_embeddings


@dataclass(frozen=True)
class TeacherConfig:
    """`weight` of the whole term in the objective, `relations` of its pairwise addend.

    `description` tells the model card whose embeddings they are and on what terms; it is required, because weights
    inherit what their teacher saw.
    """

    description: str
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    relations: Annotated[float, Field(ge=0.0)] = 1.0

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        if not self.description.strip():
            raise ValueError("description must say whose embeddings the network learns from")


def require_teacher(config: TeacherConfig | None, file: Path | None) -> None:
    """Raise TrainingError unless a recipe with a teacher comes with its file, and one without with none."""
    if (config is None) is not (file is None):
        raise TrainingError(
            "a recipe with a teacher needs the file of its embeddings, and any other takes none",
            field="teacher",
            fix="give --teacher FILE with a recipe that has a [teacher]",
        )


def teacher_targets(path: Path, samples: tuple[str, ...], size: int) -> Tensor:
    """The teacher's unit-norm target of each sample, float32 (N, `size`); rows of NaN where the file has none.

    Parameters
    ----------
    path : a table of embeddings (`eval.files.embedding_file`) whose samples are called as in the training corpora, the
        corpus's name in front ("lfw/Ann/Ann_0001.jpg").
    samples : of the training people, in order.

    Raises TrainingError if the file has fewer values a sample than the network, or knows fewer than two of the samples.
    """
    held = read_embeddings(path)
    row_of = {sample: row for row, sample in enumerate(held.samples) if row not in held.reasons}
    known = np.array([sample in row_of for sample in samples])
    if known.sum() < 2:
        raise TrainingError(
            "the teacher's file holds none of the training samples",
            field="teacher",
            fix="name its samples as the corpora do, with the corpus's name in front",
        )
    rows = np.array([row_of[sample] for sample in samples if sample in row_of])
    found = np.asarray(held.embeddings)[rows].astype(np.float64)
    targets = np.full((len(samples), size), np.nan, np.float32)
    targets[known] = projected(found, size)
    return torch.from_numpy(targets)


def projected(embeddings: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Centred embeddings (N, D) on their `size` first principal axes, of unit norm, float64 (N, size).

    Raises TrainingError where D < size.
    """
    if embeddings.shape[1] < size:
        raise TrainingError(
            f"the teacher has {embeddings.shape[1]} values an embedding, the network {size}",
            field="teacher",
            fix="give the network at most as many",
        )
    centred = embeddings - embeddings.mean(0)
    if embeddings.shape[1] > size:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        centred = centred @ vectors[:, ::-1][:, :size]
    unit: NDArray[np.float64] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return unit


def teacher_loss(embeddings: Tensor, targets: Tensor, relations: float) -> Tensor:
    """The loss above of unit-norm embeddings (B, D) and targets (B, D), rows of NaN left out; 0 where none is left."""
    known = torch.isfinite(targets).all(1)
    x, t = embeddings[known], targets[known]
    if len(x) < 2:
        return embeddings.sum() * 0.0
    hints = (1.0 - (x * t).sum(1)).mean()
    differences = (x @ x.T - t @ t.T).square()
    pairs = (differences.sum() - differences.diagonal().sum()) / (len(x) * (len(x) - 1))
    return hints + relations * pairs
