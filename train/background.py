"""The bundle's background: what "everyone else" looks like, and how much one person varies.

    mean, total   impostor density: mean and covariance of all embeddings of the background people
    within        pooled within-class covariance W of the same people

Both covariances are shrunk towards a multiple of the identity. The people are ones the network was not trained on: on
its own training people a network's within-class spread is far too small. They come from a handful of corpora, and the
next customer's cameras are none of them, so the shrinkage is a guard against other conditions too, and is chosen by
leaving corpora out (`train.identity_choice`).
"""

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrainingError
from enroll.covariance import pooled_within, shrink

Array = NDArray[np.float64]


def fit_background(
    embeddings: Array, labels: NDArray[np.int64], *, within_shrinkage: float, total_shrinkage: float
) -> dict[str, Array]:
    """embeddings (N, D), labels (N,) → arrays for background.npz.

    Every person weighs the same in `mean` and `total`, however many samples there are of them: impostors are people.
    Raises TrainingError where nobody has two samples.
    """
    within, freedom = pooled_within(embeddings, labels)
    if freedom == 0:
        raise TrainingError("no background person has two samples", field="corpus", fix="add samples or people")
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        own = labels == label
        weights[own] = 1.0 / own.sum()
    weights /= weights.sum()
    mean = weights @ embeddings
    centred = embeddings - mean
    total = (centred * weights[:, None]).T @ centred
    return {
        "mean": mean,
        "total": shrink(total, total_shrinkage),
        "within": shrink(within, within_shrinkage),
        "people": np.array([len(np.unique(labels))], np.float64),
        "samples": np.array([len(labels)], np.float64),
    }


def blank_background(size: int) -> dict[str, Array]:
    """What stands in for a background where no score is asked for: nobody's mean, and unit covariances (`size`²)."""
    return {"mean": np.zeros(size), "total": np.eye(size), "within": np.eye(size)}
