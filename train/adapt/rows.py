"""Every sample of the customer's corpora, embedded once by the frozen encoder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from encode.encoder import Encoder
from encode.errors import TrainingError
from encode.manifest import IdentitySpec
from encode.sample import Modality
from enroll.identity import IdentityModel
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.scoring import Acquired, acquire
from train.adapt.head import Head
from train.background import blank_background
from train.embedding import Embedded
from verify.model import Model
from verify.verifier import Verifier


@dataclass(frozen=True)
class Rows:
    """The samples of a corpus and what the encoder made of them.

    Attributes
    ----------
    rows : by ascending id.
    acquired : in their order.
    vector : how many values of an embedding the head works on.
    """

    rows: tuple[Row, ...]
    acquired: Acquired
    vector: int

    def of(self, people: Iterable[str]) -> "Rows":
        """The samples of these people, forgeries of them included."""
        wanted = set(people)
        kept = tuple(row for row in self.rows if row.person in wanted)
        return Rows(kept, self.acquired.of(self.rows, kept), self.vector)

    def through(self, head: Head | None) -> "Rows":
        """The same with the head applied."""
        if head is None:
            return self
        x = self.acquired.embeddings.copy()
        x[:, : self.vector] = head.apply(x[:, : self.vector])
        return replace(self, acquired=Acquired(x, self.acquired.reasons))

    def embedded(self) -> Embedded:
        """The usable samples, as backgrounds and identity models are fitted on. Raises TrainingError for none."""
        usable = self.acquired.usable
        if not usable.any():
            raise TrainingError("no sample of these people can be read", field="corpus")
        people = {person: number for number, person in enumerate(sorted({row.person for row in self.rows}))}
        labels = np.array([people[row.person] for row in self.rows], np.int64)
        corpora = tuple(row.person.partition("/")[0] for row, kept in zip(self.rows, usable, strict=True) if kept)
        forged = np.array([row.kind == "forgery" for row in self.rows])
        x = self.acquired.embeddings[usable].astype(np.float64)
        return Embedded(x, labels[usable], corpora, forged[usable], self.vector)

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody, sorted."""
        return tuple(sorted({row.person for row in self.rows}))


def embed_rows(corpus: Corpus, encode: Encoder, modality: Modality, vector: int, *, quiet: bool) -> Rows:
    """Read and embed a corpus. Raises TrialsError if no sample is usable."""
    return Rows(tuple(corpus.rows), acquire(corpus.rows, verifier_of(encode, None), modality, quiet=quiet), vector)


def verifier_of(encode: Encoder, identity: IdentityModel | None) -> Verifier:
    """What scores as the service does, with `identity` in place of a bundle's; without one it embeds only."""
    blank = identity or _blank(encode)
    return Verifier({encode.modality: Model("adapted", encode, blank, None)}, MemoryStore())


def _blank(encode: Encoder) -> IdentityModel:
    return IdentityModel(IdentitySpec(kind="pooled"), blank_background(encode.embedding_size))


def groups(people: Sequence[str]) -> list[list[str]]:
    """The people of each corpus, of two or more: impostors from another camera would be told apart by that."""
    found: dict[str, list[str]] = {}
    for person in people:
        found.setdefault(person.partition("/")[0], []).append(person)
    return [own for own in found.values() if len(own) > 1]
