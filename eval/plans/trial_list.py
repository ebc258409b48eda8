"""Trials as somebody listed them: templates, each with its references, and the probes against each.

A list is read (`eval.plans.trial_pairs` for LFW's pairs.txt, `eval.plans.trial_tables` for two tables) and checked
against the corpus in the same step, by `ListBuilder`, so that what is wrong is told with its place in the file and
before anything is embedded:

- the references of a template are genuine samples of one person;
- no sample is reference and probe of one template, and none is listed twice there;
- the kind of a trial is what the corpus says: a forgery of the person claimed is `skilled`, the person's own sample
  `genuine`, anything else `random`.

`plan_of_list` turns a list into a `Plan`. A template of which fewer references could be acquired than the model enrolls
with fails to enroll: its person is counted so, its trials are left out. Probes that could not be acquired stay in and
are rejected, as in any plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid, TrialsError
from eval.corpora.corpus import Row
from eval.plans.plan import Claim, Indices, Plan, Roster
from eval.trials import TrialKind


@dataclass(frozen=True)
class ListedTemplate:
    """One template of a list: the samples that make it, and every probe against it → what it is to the claim."""

    name: str
    person: str
    references: tuple[str, ...]
    probes: Mapping[str, TrialKind]


@dataclass(frozen=True)
class TrialList:
    """A list of trials, checked against its corpus.

    Attributes
    ----------
    templates : by person, then by name.
    fold_people : fold → everyone claimed or probing in it; empty where the list has no folds.
    """

    templates: tuple[ListedTemplate, ...]
    fold_people: Mapping[str, frozenset[str]] = field(default_factory=dict)


class ListBuilder:
    """Collects a list line by line. `place` says where each stands, for errors."""

    def __init__(self) -> None:
        self._people: dict[str, str] = {}
        self._references: dict[str, list[str]] = {}
        self._probes: dict[str, dict[str, TrialKind]] = {}
        self._folds: dict[str, set[str]] = {}

    def __contains__(self, template: str) -> bool:
        return template in self._people

    def reference(self, template: str, person: str, row: Row, place: str) -> None:
        """`row` is a reference of `template`, which is of `person`. Raises CorpusInvalid where it cannot be one."""
        known = self._people.setdefault(template, person)
        if known != person:
            raise CorpusInvalid(
                f"template {template!r} is of two people", field=f"{place}: person", fix="give each its own name"
            )
        if row.kind == "forgery" or row.person != person:
            what = "a forgery" if row.kind == "forgery" else "another person's"
            raise CorpusInvalid(
                f"sample {row.id!r} is {what}, so no reference of template {template!r}", field=f"{place}: sample"
            )
        references = self._references.setdefault(template, [])
        if row.id in references:
            raise CorpusInvalid(
                f"sample {row.id!r} is a reference of template {template!r} already", field=f"{place}: sample"
            )
        references.append(row.id)

    def probe(self, template: str, row: Row, place: str, *, fold: str = "") -> TrialKind:
        """`row` probes `template`: the kind of that trial. Raises CorpusInvalid where it cannot."""
        if template not in self._people:
            raise CorpusInvalid(f"template {template!r} has no references", field=place)
        if row.id in self._references[template]:
            raise CorpusInvalid(f"sample {row.id!r} is reference and probe of template {template!r}", field=place)
        probes = self._probes.setdefault(template, {})
        if row.id in probes:
            raise CorpusInvalid(f"sample {row.id!r} probes template {template!r} already", field=place)
        person = self._people[template]
        probes[row.id] = _kind_of(row, person)
        if fold:
            self._folds.setdefault(fold, set()).update({person} if row.kind == "forgery" else {person, row.person})
        return probes[row.id]

    def build(self, name: str) -> TrialList:
        """The list called `name`. Raises CorpusInvalid if it holds no trials."""
        if not self._probes:
            raise CorpusInvalid("the list holds no trials", field=name)
        templates = (
            ListedTemplate(template, person, tuple(sorted(self._references[template])), self._probes.get(template, {}))
            for template, person in sorted(self._people.items(), key=lambda item: (item[1], item[0]))
        )
        return TrialList(tuple(templates), {fold: frozenset(people) for fold, people in self._folds.items()})


def _kind_of(row: Row, claimed: str) -> TrialKind:
    if row.person != claimed:
        return TrialKind.RANDOM
    return TrialKind.SKILLED if row.kind == "forgery" else TrialKind.GENUINE


def plan_of_list(rows: Sequence[Row], listed: TrialList, usable: NDArray[np.bool_], *, minimum: int = 1) -> Plan:
    """The plan of a list; a claim's draw is the template's place among those of its person.

    Parameters
    ----------
    rows : those that the list was checked against, in any order.
    usable : bool (len(rows),), whether each row's sample could be acquired.
    minimum : fewest references that the model enrolls with.

    Raises
    ------
    TrialsError if a template lists fewer references than that, or if no template could be made.
    """
    roster = Roster(rows, usable)
    index = {sample: number for number, sample in enumerate(roster.samples)}
    number = {person: place for place, person in enumerate(roster.people)}
    claims: list[Claim] = []
    failed: set[str] = set()
    made: dict[str, int] = {}
    for template in listed.templates:
        if len(template.references) < minimum:
            raise TrialsError(
                f"template {template.name!r} lists {len(template.references)} references, the model enrolls with "
                f"{minimum} or more",
                fix="list more references a template, or use another bundle",
            )
        draw = made.get(template.person, 0)
        made[template.person] = draw + 1
        references = _indices(template.references, index)
        references = references[roster.usable[references]]
        if len(references) < minimum:
            failed.add(template.person)
            continue
        probes = {
            kind.value: _indices([sample for sample, found in template.probes.items() if found is kind], index)
            for kind in TrialKind
        }
        claims.append(Claim(person=number[template.person], draw=draw, references=references, **probes))
    if not claims:
        raise TrialsError("of no template could enough references be acquired")
    return roster.plan(claims, failed_to_enroll=sorted(failed))


def _indices(samples: Sequence[str], index: Mapping[str, int]) -> Indices:
    return np.array(sorted(index[sample] for sample in samples), dtype=np.int32)
