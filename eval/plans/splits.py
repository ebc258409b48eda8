"""Who sets thresholds and who they are reported on: a development/test split, or folds, of people.

Nobody is in two parts. The ways to split, each stable in the sense given:

    column            the manifest's `split`: `development` or `test`; `train` and `training` people are in neither
    development=0.5   that share of people, drawn by a hash of seed and name: nobody changes sides when others join
    folds=5           parts of equal size, to within one person, in the order of that hash
    list              the folds that a trial list names

With folds, everybody is a test person once, and the thresholds of a fold are set on the people of all others.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Self, final

import numpy as np

from encode.errors import CorpusInvalid, CorpusOverlap, FieldInvalid, TrialsError
from eval.corpora.corpus import Row
from eval.plans.parts import DEVELOPMENT, NEITHER, TEST, Part, in_order, parts_of
from eval.plans.protocol import person_generator
from eval.results.results import SplitFacts

TRAINING = ("train", "training")


@dataclass(frozen=True)
class SplitChoice:
    """How to split, as asked for: `share` of people for development, or a number of `folds`, where the way needs it."""

    way: Literal["column", "share", "folds", "list"]
    share: float = 0.5
    folds: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise FieldInvalid(f"a share lies between 0 and 1, not at {self.share:g}", field="split")
        if self.folds < 2:
            raise FieldInvalid(f"folds are two or more, not {self.folds}", field="split")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`column`, `list`, `development=SHARE` or `folds=NUMBER`. Raises FieldInvalid."""
        name, _, value = text.partition("=")
        try:
            if text == "column":
                return cls("column")
            if text == "list":
                return cls("list")
            if name == DEVELOPMENT:
                return cls("share", share=float(value))
            if name == "folds":
                return cls("folds", folds=int(value))
        except ValueError:
            pass
        raise FieldInvalid(
            f"{text!r} is no way to split people",
            field="split",
            fix="write column, list, development=0.5 or folds=5",
        )


@final
@dataclass(frozen=True)
class Split:
    """Everybody's part.

    Attributes
    ----------
    labels : `development`, `test` or a fold's name of each of the plan's people; empty for who is in no part.
    rule : how it came about, in words.

    Raises
    ------
    TrialsError where a side has fewer than two people.
    """

    labels: tuple[str, ...]
    rule: str

    def __post_init__(self) -> None:
        for part in self.parts:
            if min(np.count_nonzero(part.development), np.count_nonzero(part.test)) < 2:
                raise TrialsError("a part of the split has fewer than two people", fix="split otherwise, or add people")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The folds in the order of their names, or the one split."""
        return parts_of(self.labels)

    @property
    def facts(self) -> SplitFacts:
        """What results.json says of it."""
        return SplitFacts(
            rule=self.rule,
            folds=len(self.parts),
            development_people=min(int(np.count_nonzero(part.development)) for part in self.parts),
            test_people=sum(int(np.count_nonzero(part.test)) for part in self.parts),
        )


def split_by_column(rows: Iterable[Row], people: Sequence[str]) -> Split:
    """The split that the rows' own column states.

    Raises
    ------
    CorpusOverlap if a person has rows in two parts; CorpusInvalid for a row without a part or with an unknown one.
    """
    found = _stated(rows)
    return Split(tuple(found[person] for person in people), "the split column of the manifest")


def without_training(rows: Sequence[Row]) -> list[Row]:
    """The rows that the column does not give to training: whoever trained a model is not to measure it, nor to probe.

    Raises what `split_by_column` raises of all rows, as a person's rows in training could not be missed afterwards.
    """
    found = _stated(rows)
    return [row for row in rows if found[row.person] != NEITHER]


def _stated(rows: Iterable[Row]) -> dict[str, str]:
    """Person → part by the column, training being none."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.split is None:
            raise CorpusInvalid(
                f"sample {row.id!r} is in no part", field="split", fix="give the manifest a split column without gaps"
            )
        if row.split not in (DEVELOPMENT, TEST, *TRAINING):
            raise CorpusInvalid(
                f"sample {row.id!r} is in the part {row.split!r}",
                field="split",
                fix="use development, test or training",
            )
        found.setdefault(row.person, set()).add(NEITHER if row.split in TRAINING else row.split)
    require_one_part(found)
    return {person: part for person, (part,) in found.items()}


def split_by_share(people: Sequence[str], share: float, seed: int) -> Split:
    """Everyone for development with probability `share`, by a hash of `seed` and name, else for test."""
    labels = (DEVELOPMENT if draw < share else TEST for draw in _draws(people, seed))
    return Split(tuple(labels), f"{share:g} of the people for development, drawn by seed {seed}")


def split_by_folds(people: Sequence[str], folds: int, seed: int) -> Split:
    """`folds` parts of people, of sizes that differ by one at most, drawn by `seed`."""
    labels = [NEITHER] * len(people)
    for place, person in enumerate(np.argsort(_draws(people, seed), kind="stable")):
        labels[person] = f"fold {place % folds + 1}"
    return Split(tuple(labels), f"cross-validation by person in {folds} folds, drawn by seed {seed}")


def split_by_list(fold_people: Mapping[str, AbstractSet[str]], people: Sequence[str]) -> Split:
    """The folds that a trial list names; people of no trial are in none.

    Raises CorpusOverlap if somebody is claimed or probes in two folds, TrialsError where the list has fewer than two.
    """
    found: dict[str, set[str]] = {}
    for fold, members in fold_people.items():
        for person in members:
            found.setdefault(person, set()).add(fold)
    require_one_part(found)
    labels = (next(iter(found[person])) if person in found else NEITHER for person in people)
    return Split(tuple(labels), "the folds of the trial list")


def _draws(people: Sequence[str], seed: int) -> list[float]:
    """A number in [0, 1) of everyone, of seed and name alone; apart from the stream that draws the references."""
    return [float(person_generator(seed, f"split\0{person}").random()) for person in people]


def require_one_part(found: Mapping[str, AbstractSet[str]], *, unnamed: str = "training") -> None:
    """Raise CorpusOverlap where somebody (name → parts) is in more than one part; `unnamed` is what an empty one is."""
    both = sorted(person for person, parts in found.items() if len(parts) > 1)
    if both:
        parts = " and ".join(sorted((part or unnamed for part in found[both[0]]), key=in_order)[:2])
        raise CorpusOverlap(
            f"people in more than one part: {len(both)}; the first is {both[0]!r}, in {parts}",
            field="split",
            fix="keep every person in one part",
        )
