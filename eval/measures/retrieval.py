"""How well the embedding itself groups people, without any identity model: retrieval by cosine.

Every usable genuine sample of a person with two or more of them is a query against all other usable genuine samples.
With R the number of the person's other samples, and hit_i whether the i-th nearest sample is the person's (Musgrave,
Belongie & Lim 2020, *A metric learning reality check*, section 3.2),

    precision@1 = mean over queries of hit_1
    MAP@R       = mean over queries of  1/R Σ_{i<=R} hit_i · precision@i

Samples of people who have no other are never queries, but stay in as what a query may wrongly find. Forgeries are left
out: they are made to be found, and `skilled` rates say how often they are. Where two samples are equally near, the
other person's comes first, so that an embedding which maps everybody to one point scores 0 and the order of rows
cannot matter.

Cosines are float32 products of one block of queries with all samples; of a block's other people only the R highest
*values* are kept (a partition, not a sort), and the person's own R are merged in. Memory is a block and a copy of the
embeddings, never N × N. Products of single precision may swap neighbours that differ in the seventh digit.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.share_by_person import share_by_person
from eval.results.search_results import EmbeddingQuality

BLOCK_CELLS = 1 << 23
"""Cosines held at once (32 MiB); cannot change a result beyond rounding."""

FEWEST_ROWS = 32
"""Queries in one block at least, whatever N: products of fewer rows are slow."""

FloatArray = NDArray[np.float64]


def retrieval(
    embeddings: NDArray[np.floating],
    owner: NDArray[np.integer],
    usable: NDArray[np.bool_],
    *,
    vector: int | None = None,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> EmbeddingQuality | None:
    """Precision@1 and MAP@R, with intervals that resample people; None where fewer than two have two usable samples.

    Parameters
    ----------
    embeddings : float (N, D), one row a sample.
    owner : int (N,), who made each sample, negative for forgeries, which are left out (as in `Plan.sources`).
    usable : bool (N,), whether each sample was acquired; others are left out.
    vector : the first so many values of a row are the embedding, the rest a trace that cosine knows nothing of
        (`EmbeddingSpec.vector_size`); None: all of them.
    replicates, seed : of the bootstrap by person. What others' samples a query may find is held fixed.

    Raises
    ------
    TrialsError if the columns differ in length, or a usable embedding is not finite.
    """
    if embeddings.ndim != 2 or not len(embeddings) == len(owner) == len(usable):
        raise TrialsError(f"embeddings {embeddings.shape}, {len(owner)} owners and {len(usable)} flags do not match")
    kept = np.flatnonzero(usable & (owner >= 0))
    person, number, samples = np.unique(owner[kept], return_inverse=True, return_counts=True)
    queried = samples >= 2
    if np.count_nonzero(queried) < 2:
        return None
    # By number of samples, then person: a block's queries then share R, and a person's samples are neighbours.
    order = np.lexsort((number, samples[number]))
    unit = _unit(embeddings[kept[order], :vector])
    first_hit, average_precision = _query_all(unit, samples[number[order]], number[order])
    queries = number[order[len(order) - len(first_hit) :]]
    quality = [
        share_by_person(
            np.bincount(queries, weights=found, minlength=len(person))[queried],
            samples[queried],
            comparisons=len(queries),
            replicates=replicates,
            seed=seed,
        )
        for found in (first_hit, average_precision)
    ]
    return EmbeddingQuality(
        queries=len(queries),
        people=int(np.count_nonzero(queried)),
        precision_at_1=quality[0],
        map_at_r=quality[1],
    )


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows at norm 1, float32; a row of zeros stays one and is equally far from everything."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise TrialsError("usable embeddings hold NaN or infinity", field="embeddings")
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _query_all(
    unit: NDArray[np.float32], size: NDArray[np.int64], number: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """hit_1 and average precision at R of every query, both float64 (Q,): the last Q rows, where size >= 2.

    `unit` is ordered by `size`, the samples of each row's person, then by `number`, the person.
    """
    total = len(unit)
    start = np.searchsorted(size, 2)
    own = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]]))
    own_first = np.repeat(own, np.diff(np.append(own, total)))  # int64 (N,), where each row's person begins
    buffer = np.empty((max(FEWEST_ROWS, min(BLOCK_CELLS // total, total)), total), dtype=np.float32)
    first_hit, average = np.empty(total - start), np.empty(total - start)
    for begin, stop in _blocks(size, int(start), len(buffer)):
        cosine = np.matmul(unit[begin:stop], unit.T, out=buffer[: stop - begin])
        hits = _hits(cosine, own_first[begin:stop], int(size[begin]) - 1, begin)
        at = slice(begin - start, stop - start)
        first_hit[at] = hits[:, 0]
        positions = np.arange(1, hits.shape[1] + 1)
        average[at] = (np.cumsum(hits, axis=1) * hits / positions).sum(axis=1) / hits.shape[1]
    return first_hit, average


def _blocks(size: NDArray[np.int64], start: int, rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most `rows` queries, from `start` on, whose people all have the same number of samples."""
    while start < len(size):
        stop = min(start + rows, int(np.searchsorted(size, size[start], side="right")))
        yield start, stop
        start = stop


def _hits(cosine: NDArray[np.float32], own_first: NDArray[np.int64], relevant: int, begin: int) -> NDArray[np.bool_]:
    """bool (B, R), whether each of the R nearest samples is the person's own; `cosine`, (B, N), is used up.

    `own_first` (B,) is the column where each query's person begins, `relevant` is R, `begin` the first query's column.
    """
    queries = np.arange(len(cosine))[:, None]
    itself = begin + np.arange(len(cosine)) - own_first
    others = np.arange(relevant)[None, :]
    columns = own_first[:, None] + others + (others >= itself[:, None])  # the person's samples but the query
    mates = cosine[queries, columns]
    cosine[queries, own_first[:, None] + np.arange(relevant + 1)] = -np.inf
    kept = min(relevant, cosine.shape[1] - relevant - 1)
    cosine.partition(cosine.shape[1] - kept, axis=1)
    strangers = cosine[:, cosine.shape[1] - kept :]
    # A stable sort leaves strangers before mates that are equally near.
    nearest = np.argsort(-np.concatenate([strangers, mates], axis=1), axis=1, kind="stable")[:, :relevant]
    hits: NDArray[np.bool_] = nearest >= kept
    return hits
