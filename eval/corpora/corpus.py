"""A corpus: one row a sample, read from disk only when asked for.

`kind` is `genuine` (the person's own sample) or `forgery` (`person` is then the person it imitates). The digest covers
ids, people, kinds, crop boxes and file sizes, so that two results can be told to rest on the same data.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from encode.errors import CorpusInvalid
from encode.sample import CropBox, ImageSample, Modality, Sample

Kind = Literal["genuine", "forgery"]
Loader = Callable[["Row"], Sample]


def load_image(row: "Row") -> Sample:
    """Read the row's file whole; what is wrong inside it is the encoder's to say."""
    return ImageSample(data=row.path.read_bytes(), crop=row.crop, modality=row.modality)


@dataclass(frozen=True)
class Row:
    """One sample of a corpus.

    Attributes
    ----------
    id : unique within the corpus, stable across machines (a relative path).
    person : claimed identity; for a forgery, whom it imitates.
    session, order : acquisition session and position within the person's samples, where the corpus tells.
    groups : column → value, for rates by group.
    may_enroll : whether a genuine sample is among those that the corpus's customary protocol draws references from;
        asked where the protocol at hand names no pool of its own.
    content : SHA-256 (64 hex digits) of what stands in for a file, where there is none to read; None: of the file.
    """

    id: str
    path: Path
    person: str
    modality: Modality = Modality.FACE
    kind: Kind = "genuine"
    session: str | None = None
    order: int | None = None
    split: str | None = None
    crop: CropBox | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    may_enroll: bool = True
    loader: Loader = load_image
    content: str | None = None

    def load(self) -> Sample:
        """The sample, read from disk now. Raises OSError where the file cannot be read."""
        return self.loader(self)


class Corpus:
    """Rows in a fixed order with unique ids.

    Parameters
    ----------
    name : how reports call it, without any machine's path.
    rows : at least one.
    reference_rule : in words, which samples `Row.may_enroll` marks; None where any may be a reference.

    Raises
    ------
    CorpusInvalid for no rows or for an id that occurs twice.
    """

    def __init__(self, name: str, rows: Iterable[Row], *, reference_rule: str | None = None) -> None:
        self.name = name
        self.reference_rule = reference_rule
        self.rows: Sequence[Row] = tuple(sorted(rows, key=lambda row: row.id))
        if not self.rows:
            raise CorpusInvalid(f"{name} holds no samples", fix="check the path and the layout that the reader expects")
        for previous, row in zip(self.rows, self.rows[1:], strict=False):
            if previous.id == row.id:
                raise CorpusInvalid(f"sample id {row.id!r} occurs twice in {name}", field="path")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everyone with a sample or a forgery, sorted."""
        return tuple(sorted({row.person for row in self.rows}))

    def genuine(self, person: str) -> list[Row]:
        """The person's own samples: by order where the corpus tells it, by id otherwise."""
        return self._by_person.get((person, "genuine"), [])

    def forgeries(self, person: str) -> list[Row]:
        """Skilled forgeries that imitate the person."""
        return self._by_person.get((person, "forgery"), [])

    def only(self, people: Iterable[str], *, name: str | None = None) -> "Corpus":
        """The rows of the people named."""
        kept = set(people)
        rows = (row for row in self.rows if row.person in kept)
        return Corpus(name or self.name, rows, reference_rule=self.reference_rule)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) over every sample's id, person, modality, kind, crop box and file content."""
        state = hashlib.sha256()
        for row in self.rows:
            content = row.content or _file_digest(row.path)
            what = f"{row.id}\0{row.person}\0{row.modality.value}\0{row.kind}\0{row.crop}\0{content}\n"
            state.update(what.encode())
        return state.hexdigest()

    @cached_property
    def _by_person(self) -> dict[tuple[str, Kind], list[Row]]:
        grouped: dict[tuple[str, Kind], list[Row]] = {}
        for row in self.rows:
            grouped.setdefault((row.person, row.kind), []).append(row)
        for rows in grouped.values():
            rows.sort(key=lambda row: (row.order is None, row.order or 0, row.id))
        return grouped


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"


def merge(name: str, corpora: Iterable[Corpus]) -> Corpus:
    """Several corpora as one; people and ids get their corpus's name in front, so that nobody is merged by accident.

    Raises CorpusInvalid if two corpora have the same name.
    """
    corpora = list(corpora)
    for number, corpus in enumerate(corpora):
        if any(corpus.name == other.name for other in corpora[:number]):
            raise CorpusInvalid(
                f"two corpora are called {corpus.name!r}, and their people could not be told apart",
                field="corpus",
                fix="rename one of the folders",
            )
    rules = [f"{corpus.name}: {corpus.reference_rule}" for corpus in corpora if corpus.reference_rule]
    return Corpus(
        name,
        (
            replace(row, id=f"{corpus.name}/{row.id}", person=f"{corpus.name}/{row.person}")
            for corpus in corpora
            for row in corpus.rows
        ),
        reference_rule="; ".join(rules) or None,
    )
