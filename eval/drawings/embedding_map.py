"""t-SNE of the embedding: a picture of which samples the network puts together (van der Maaten & Hinton 2008).

Embeddings are put on the unit sphere first, so that neighbours are those by cosine. The picture is for the eye: nothing
is measured on it, and which person a point belongs to is told by colour alone, never by name.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FewInts = NDArray[np.integer]

MOST_SAMPLES = 1500
MOST_PEOPLE = 12
"""More people than this cannot be told apart by colour and shape."""
_SAMPLES_PER_PERSON = 60
_FEWEST = 8


@dataclass(frozen=True)
class EmbeddingMap:
    """M samples on a plane.

    Attributes
    ----------
    positions : float64 (M, 2).
    person : int64 (M,), 0 … shown - 1 for the people told apart, -1 for all others; of a forgery, whom it imitates.
    is_forgery : bool (M,).
    shown, people : how many people are told apart, and how many there are on the map.
    samples : usable samples that the map was drawn from.
    """

    positions: NDArray[np.float64]
    person: NDArray[np.int64]
    is_forgery: NDArray[np.bool_]
    shown: int
    people: int
    samples: int


def embedding_map(
    embeddings: NDArray[np.floating],
    owner: FewInts,
    is_forgery: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    *,
    seed: int = 0,
    most_samples: int = MOST_SAMPLES,
    most_people: int = MOST_PEOPLE,
) -> EmbeddingMap | None:
    """Lay the usable samples out on a plane; None where fewer than eight of them differ.

    Parameters
    ----------
    embeddings : (N, D).
    owner : (N,), index of the person of each sample; of a forgery, the person it imitates, or negative if unknown.
    is_forgery, usable : (N,).
    seed : of the choice of samples and of the layout; the same input and seed give the same map.
    most_samples, most_people : the people with most samples are told apart; others fill up the number of samples.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows = np.flatnonzero(usable)
    told, rows = _choose(owner, is_forgery, rows, np.random.default_rng(seed), most_samples, most_people)
    vectors = np.asarray(embeddings[rows], dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0, lengths, 1)
    if len(vectors) < _FEWEST or len(np.unique(vectors, axis=0)) < _FEWEST:
        return None
    layout = TSNE(
        perplexity=min(30.0, (len(vectors) - 1) / 3),
        init="pca" if vectors.shape[1] > 1 else "random",
        random_state=seed,
    )
    # So few points keep more threads waiting for each other than working.
    with threadpool_limits(1):
        positions = layout.fit_transform(vectors.astype(np.float32))
    number = {int(person): at for at, person in enumerate(told)}
    return EmbeddingMap(
        positions=_lying(np.asarray(positions, dtype=np.float64)),
        person=np.array([number.get(int(person), -1) for person in owner[rows]], dtype=np.int64),
        is_forgery=np.asarray(is_forgery[rows], dtype=np.bool_),
        shown=len(told),
        people=len(np.unique(owner[rows][owner[rows] >= 0])),
        samples=int(np.count_nonzero(usable)),
    )


def _lying(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same picture turned so that it is widest from left to right."""
    centred = positions - positions.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    return np.asarray(centred @ (axes * np.sign(axes.sum(axis=1, keepdims=True) + 1e-12)).T)


def _choose(
    owner: FewInts,
    is_forgery: NDArray[np.bool_],
    rows: NDArray[np.intp],
    generator: np.random.Generator,
    most_samples: int,
    most_people: int,
) -> tuple[NDArray[np.integer], NDArray[np.intp]]:
    """The people told apart, most genuine samples first, and the rows to lay out, ascending."""
    people, counts = np.unique(owner[rows[~is_forgery[rows]]], return_counts=True)
    told = people[np.argsort(-counts, kind="stable")[:most_people]]
    per_person = max(1, min(_SAMPLES_PER_PERSON, most_samples // max(len(told), 1)))
    chosen = [generator.permutation(rows[owner[rows] == person])[:per_person] for person in told]
    others = generator.permutation(rows[~np.isin(owner[rows], told)])
    kept = np.concatenate([*chosen, others]).astype(np.intp)[:most_samples]
    return told, np.sort(kept)
