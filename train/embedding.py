"""A corpus as embeddings, by the sealed encoder: what background, identity model and calibration are fitted on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.encoder import Encoder
from encode.errors import SampleError, TrainingError
from eval.corpora.corpus import Corpus


@dataclass(frozen=True)
class Embedded:
    """Every usable sample of a corpus, one row each.

    Attributes
    ----------
    x : float64 (N, D), rows as the encoder puts them out.
    labels : int64 (N,), index of the person in the corpus's `people`; of a forgery, whom it imitates.
    corpora : the corpus of each sample, what stands before the first "/" of its person.
    forged : bool (N,).
    vector : how many values of a row are the embedding; None for all.
    """

    x: NDArray[np.float64]
    labels: NDArray[np.int64]
    corpora: tuple[str, ...]
    forged: NDArray[np.bool_]
    vector: int | None = None

    @property
    def own(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Embeddings (n, d) and labels (n,) of the genuine samples: what a background may be fitted on."""
        kept = ~self.forged
        return self.x[kept, : self.vector], self.labels[kept]

    def part(self, rows: NDArray[np.bool_]) -> "Embedded":
        """The samples where `rows`, bool (N,), is true."""
        corpora = tuple(name for name, kept in zip(self.corpora, rows, strict=True) if kept)
        return Embedded(self.x[rows], self.labels[rows], corpora, self.forged[rows], self.vector)


@dataclass(frozen=True)
class Prepared:
    """The usable samples of a corpus as the encoder reads them: `inputs` float32 (N, …), the rest as in `Embedded`."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    corpora: tuple[str, ...]
    forged: NDArray[np.bool_]


def prepare_corpus(
    encoder: Encoder, corpus: Corpus, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Prepared:
    """Read every sample that can be read; `progress` gets ("embed", done, total). Raises TrainingError if none can."""
    index = {person: number for number, person in enumerate(corpus.people)}
    inputs, kept = [], []
    for number, row in enumerate(corpus.rows, start=1):
        progress("embed", number, len(corpus))
        try:
            inputs.append(encoder.prepare(row.load()))
        except (SampleError, OSError):
            continue
        kept.append(row)
    if not inputs:
        raise TrainingError(f"no sample of {corpus.name} can be read", field="corpus")
    return Prepared(
        inputs=np.stack(inputs),
        labels=np.array([index[row.person] for row in kept], np.int64),
        corpora=tuple(row.person.partition("/")[0] for row in kept),
        forged=np.array([row.kind == "forgery" for row in kept]),
    )


def embed_prepared(encoder: Encoder, prepared: Prepared, *, vector: int | None = None) -> Embedded:
    """The rows of prepared samples; `vector` of their values are the embedding."""
    x = encoder.embed_prepared(prepared.inputs).astype(np.float64)
    return Embedded(x, prepared.labels, prepared.corpora, prepared.forged, vector)
