"""All pairs of samples as trials: one sample claims to be the person of another.

    score = −‖x − y‖²

with no Gaussian in between, so this is the network alone. Impostor pairs are of one corpus: two cameras are told apart
more easily than two people. A skilled forgery is compared with genuine signatures of the person it imitates, and with
nothing else.

The pairs of a person grow with the square of his samples, and a few people with hundreds of photographs would make
nearly all of a rate. So at most `MOST` samples of a person take part, and as many forgeries, evenly spaced in the
corpus's order.
"""

import numpy as np
from numpy.typing import NDArray

from eval.trials import TrialKind, Trials

Indices = NDArray[np.int64]

MOST = 10


def pair_trials(
    embeddings: NDArray[np.float32], labels: Indices, forged: NDArray[np.bool_], corpus_of: tuple[str, ...]
) -> dict[TrialKind, Trials]:
    """The trials of every kind that there are.

    Parameters
    ----------
    embeddings : (N, D), finite.
    labels : int64 (N,), the person of each sample; of a forgery, whom it imitates.
    forged : bool (N,).
    corpus_of : corpus of each person.
    """
    kept = _at_most(labels, forged)
    embeddings, labels, forged = embeddings[kept], labels[kept], forged[kept]
    x = embeddings.astype(np.float64)
    squares = (x * x).sum(1)
    first, second = np.triu_indices(len(x), k=1)
    scores = -np.maximum((squares[:, None] + squares[None, :] - 2.0 * x @ x.T)[first, second], 0.0)
    _, corpus = np.unique(np.array(corpus_of), return_inverse=True)
    same, near = labels[first] == labels[second], corpus[labels[first]] == corpus[labels[second]]
    forgeries = forged[first].astype(np.int8) + forged[second]
    chosen = {
        TrialKind.GENUINE: same & (forgeries == 0),
        TrialKind.RANDOM: ~same & near & (forgeries == 0),
        TrialKind.SKILLED: same & (forgeries == 1),
    }
    return {
        kind: _trials(kind, scores, labels, first, second, kept, np.flatnonzero(rows))
        for kind, rows in chosen.items()
        if rows.any()
    }


def _at_most(labels: Indices, forged: NDArray[np.bool_]) -> Indices:
    """Rows of at most `MOST` genuine samples and as many forgeries of each person, ascending."""
    kept = []
    for kind in (False, True):
        rows = np.flatnonzero(forged == kind)
        for label in np.unique(labels[rows]):
            own = rows[labels[rows] == label]
            kept.append(own[np.linspace(0, len(own) - 1, min(len(own), MOST)).round().astype(np.int64)])
    return np.sort(np.concatenate(kept))


def _trials(
    kind: TrialKind,
    scores: NDArray[np.float64],
    labels: Indices,
    first: Indices,
    second: Indices,
    kept: Indices,
    rows: Indices,
) -> Trials:
    source = labels[second[rows]] if kind is not TrialKind.SKILLED else np.full(len(rows), -1)
    return Trials(
        scores=scores[rows],
        claim=labels[first[rows]].astype(np.int32),
        draw=np.zeros(len(rows), np.int32),
        probe=kept[second[rows]].astype(np.int32),
        source=source.astype(np.int32),
    )
