"""Embeddings that somebody computed before: the samples they are of, and the corpus they make without an encoder."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid, TrialsError
from encode.sample import Modality, Sample
from eval.corpora.corpus import Corpus, Kind, Row
from eval.scoring import Acquired

FAILED = "FAILURE_TO_ACQUIRE"
"""Reason of a sample that is marked failed without one."""

_ROWS = 4096
"""Rows checked at once, so that an array on disk is never whole in memory."""


@dataclass(frozen=True)
class EmbeddingSet:
    """N samples of one modality, each with its embedding or the reason why there is none.

    Attributes
    ----------
    samples : N ids, each once.
    people : whose each sample is; for a forgery, whom it imitates.
    kinds : `genuine` or `forgery` of each.
    modality : of all of them.
    embeddings : float32 (N, D); rows with a reason are never read. May be an array on disk.
    reasons : index of each sample that could not be acquired → why.
    groups : column (`group_age`, …) → value of each sample, empty where unknown.
    orders, sessions, splits : of each sample, None where unknown; None: of no sample.
    model_digest : the model that made them, empty where nobody tells.

    Raises
    ------
    CorpusInvalid, naming the row (from 1) and the column: a sample id twice, columns of other lengths, no rows, an
    embedding that is not finite, or zero throughout, in a row without a reason.
    """

    samples: Sequence[str]
    people: Sequence[str]
    kinds: Sequence[Kind]
    modality: Modality
    embeddings: NDArray[np.float32]
    reasons: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    orders: Sequence[int | None] | None = None
    sessions: Sequence[str | None] | None = None
    splits: Sequence[str | None] | None = None
    model_digest: str = ""

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or self.embeddings.dtype != np.float32:
            raise CorpusInvalid(
                f"embeddings are one float32 row a sample, not {self.embeddings.dtype} {self.embeddings.shape}",
                field="embedding",
            )
        if not self.embeddings.size:
            raise CorpusInvalid("there are no embeddings", field="embedding")
        for column, values in self._columns.items():
            if len(values) != len(self):
                raise CorpusInvalid(f"{len(values)} values for {len(self)} embeddings", field=column)
        first: dict[str, int] = {}
        for index, sample in enumerate(self.samples):
            if first.setdefault(sample, index) != index:
                raise CorpusInvalid(
                    f"{sample!r} is the id of row {first[sample] + 1} already", field=f"row {index + 1}: sample"
                )
        for start in range(0, len(self), _ROWS):
            block = self.embeddings[start : start + _ROWS]
            for wrong, what in (
                (~np.isfinite(block).all(axis=1), "a value is NaN or infinite"),
                (~block.any(axis=1), "all values are zero"),
            ):
                for index in (start + np.flatnonzero(wrong)).tolist():
                    if index not in self.reasons:
                        raise CorpusInvalid(
                            what,
                            field=f"row {index + 1}: embedding",
                            fix="say why in a column failed, where the sample could not be acquired",
                        )

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def size(self) -> int:
        """D, the numbers in one embedding."""
        return int(self.embeddings.shape[1])

    @cached_property
    def _columns(self) -> Mapping[str, Sequence[object]]:
        """What must be N long, by name."""
        known = {"order": self.orders, "session": self.sessions, "split": self.splits}
        return {
            "sample": self.samples,
            "person": self.people,
            "kind": self.kinds,
            **{column: values for column, values in known.items() if values is not None},
            **self.groups,
        }


def require_size(embeddings: EmbeddingSet, size: int, name: str) -> None:
    """Raise CorpusInvalid unless the rows hold the `size` numbers that the model `name` works on."""
    if embeddings.size != size:
        raise CorpusInvalid(
            f"rows of {embeddings.size} numbers, where {name} has {size}",
            field="embedding",
            fix="use the bundle that made the embeddings",
        )


def require_model(embeddings: EmbeddingSet, model_digest: str, name: str) -> None:
    """Raise CorpusInvalid if the embeddings are known to be of another model than `name`."""
    if embeddings.model_digest not in ("", model_digest):
        raise CorpusInvalid(
            f"the embeddings are not of {name}, but of the model {embeddings.model_digest}",
            field="model_digest",
            fix="use the bundle that made the embeddings",
        )


def as_corpus(embeddings: EmbeddingSet, name: str) -> tuple[Corpus, Acquired]:
    """The corpus, and what was acquired of it in the order of its rows (ascending id), for `eval.scoring`.

    Rows have nothing to load. The corpus's digest is over ids, people, kinds and the embeddings' own bytes.
    """

    def row(index: int) -> Row:
        return Row(
            id=embeddings.samples[index],
            path=Path(embeddings.samples[index]),
            person=embeddings.people[index],
            modality=embeddings.modality,
            kind=embeddings.kinds[index],
            session=embeddings.sessions[index] if embeddings.sessions is not None else None,
            order=embeddings.orders[index] if embeddings.orders is not None else None,
            split=embeddings.splits[index] if embeddings.splits is not None else None,
            groups={column: values[index] for column, values in embeddings.groups.items()},
            loader=_nothing_to_load,
            content=_content(embeddings, index),
        )

    corpus = Corpus(name, (row(index) for index in range(len(embeddings))))
    position = {sample: index for index, sample in enumerate(embeddings.samples)}
    order = np.array([position[row.id] for row in corpus.rows])
    place = np.argsort(order)
    in_order = bool((order == np.arange(len(order))).all())
    return corpus, Acquired(
        embeddings.embeddings if in_order else embeddings.embeddings[order],
        {
            int(place[index]): reason
            for index, reason in sorted(embeddings.reasons.items(), key=lambda at: place[at[0]])
        },
    )


def as_set(rows: Sequence[Row], acquired: Acquired, model_digest: str) -> EmbeddingSet:
    """What a run acquired of `rows`, at least one and all of one modality, as a set to write down."""
    if not rows:
        raise TrialsError("there are no samples")
    columns = sorted({column for row in rows for column in row.groups})
    return EmbeddingSet(
        samples=[row.id for row in rows],
        people=[row.person for row in rows],
        kinds=[row.kind for row in rows],
        modality=rows[0].modality,
        embeddings=acquired.embeddings,
        reasons=acquired.reasons,
        groups={column: [row.groups.get(column, "") for row in rows] for column in columns},
        orders=[row.order for row in rows],
        sessions=[row.session for row in rows],
        splits=[row.split for row in rows],
        model_digest=model_digest,
    )


def _nothing_to_load(row: Row) -> Sample:
    raise CorpusInvalid("there is an embedding of this sample, and no file to read", field=row.id)


def _content(embeddings: EmbeddingSet, index: int) -> str:
    """SHA-256 of what stands in for the sample's file."""
    reason = embeddings.reasons.get(index)
    what = np.ascontiguousarray(embeddings.embeddings[index]).tobytes() if reason is None else reason.encode()
    return hashlib.sha256(what).hexdigest()
