"""How trials come about, as one choice: derived from the corpus in one of two ways, or listed in files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid
from eval.corpora.corpus import Row
from eval.plans.leave_one_out import derive_leave_one_out
from eval.plans.plan import Plan
from eval.plans.protocol import Protocol, derive
from eval.plans.splits import (
    Split,
    SplitChoice,
    split_by_column,
    split_by_folds,
    split_by_list,
    split_by_share,
    without_training,
)
from eval.plans.trial_list import TrialList, plan_of_list
from eval.plans.trial_pairs import read_pairs
from eval.plans.trial_tables import read_trial_tables


class Rule(StrEnum):
    """The values of `ProtocolFacts.rule` that a corpus can be measured by."""

    REFERENCES = "references"
    LEAVE_ONE_OUT = "leave one out"
    TRIAL_LIST = "trial list"


@dataclass(frozen=True)
class PlanChoice:
    """Which trials to make of a corpus.

    Attributes
    ----------
    rule : how.
    protocol : of derived trials; of a trial list, its seed alone.
    most_references : of a leave-one-out template; None for all of the person's other samples.
    files : of a trial list: one file in the form of pairs.txt, or the two tables `enroll` and `probe`, in this order.
    split : of the people into development and test, or into folds; None for none.
    """

    rule: Rule = Rule.REFERENCES
    protocol: Protocol = field(default_factory=Protocol)
    most_references: int | None = None
    files: tuple[Path, ...] = ()
    split: SplitChoice | None = None

    def __post_init__(self) -> None:
        if self.rule is Rule.TRIAL_LIST and len(self.files) not in (1, 2):
            raise FieldInvalid("a trial list is one file of pairs, or two tables", field="files")
        if self.rule is not Rule.TRIAL_LIST and self.files:
            raise FieldInvalid(f"trials by the rule {self.rule.value!r} are in no file", field="files")
        if self.rule is not Rule.LEAVE_ONE_OUT and self.most_references is not None:
            raise FieldInvalid(f"has no say in trials by the rule {self.rule.value!r}", field="most_references")
        if self.split and self.split.way == "list" and self.rule is not Rule.TRIAL_LIST:
            raise FieldInvalid("there is no trial list to take folds from", field="split")

    def facts(self) -> dict[str, Any]:
        """The fields of `ProtocolFacts` that the choice decides; those that it leaves without a say are absent."""
        protocol = self.protocol
        found: dict[str, Any] = {"rule": self.rule.value, "seed": protocol.seed}
        if self.rule is Rule.TRIAL_LIST:
            named = (f"{file.name} (SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()})" for file in self.files)
            return found | {"note": ", ".join(named)}
        if self.rule is Rule.LEAVE_ONE_OUT:
            found |= {"references": self.most_references}
        else:
            found |= {"references": protocol.references, "draws": protocol.draws}
        limits = ("reference_pool", "impostors_per_person", "impostor_samples")
        return found | {name: getattr(protocol, name) for name in limits}


def rows_of(rows: Sequence[Row], choice: PlanChoice) -> Sequence[Row]:
    """The rows that may be measured: without those of training people, where the split is the manifest's column.

    Raises CorpusOverlap, CorpusInvalid as `split_of` does.
    """
    return without_training(rows) if choice.split and choice.split.way == "column" else rows


def check_choice(rows: Sequence[Row], choice: PlanChoice, *, minimum: int = 1) -> None:
    """Raise what `derive_plan` and `split_of` would raise if every sample were acquired: before any is embedded."""
    split_of(rows, choice, derive_plan(rows, choice, np.ones(len(rows), dtype=np.bool_), minimum=minimum))


def derive_plan(rows: Sequence[Row], choice: PlanChoice, usable: NDArray[np.bool_], *, minimum: int = 1) -> Plan:
    """The trials of `rows` by `choice`.

    Parameters
    ----------
    rows : of one modality, in any order.
    usable : bool (len(rows),), whether each row's sample could be acquired.
    minimum : fewest references that the model enrolls with (`IdentityModel.minimum`).

    Raises
    ------
    TrialsError if nobody can be claimed; CorpusInvalid, CorpusMissing for a list that is not of these rows.
    """
    if choice.rule is Rule.TRIAL_LIST:
        return plan_of_list(rows, _listed(rows, choice), usable, minimum=minimum)
    if choice.rule is Rule.LEAVE_ONE_OUT:
        return derive_leave_one_out(
            rows, choice.protocol, usable, most_references=choice.most_references, minimum=minimum
        )
    return derive(rows, choice.protocol, usable)


def split_of(rows: Sequence[Row], choice: PlanChoice, plan: Plan) -> Split | None:
    """Which part each of the plan's people is in; None if no split is chosen.

    Raises
    ------
    CorpusOverlap for a person in two parts, CorpusInvalid for rows in none, TrialsError for parts too small.
    """
    if choice.split is None:
        return None
    if choice.split.way == "column":
        return split_by_column(rows, plan.people)
    if choice.split.way == "list":
        return split_by_list(_listed(rows, choice).fold_people, plan.people)
    if choice.split.way == "folds":
        return split_by_folds(plan.people, choice.split.folds, choice.protocol.seed)
    return split_by_share(plan.people, choice.split.share, choice.protocol.seed)


def _listed(rows: Sequence[Row], choice: PlanChoice) -> TrialList:
    if len(choice.files) == 1:
        return read_pairs(choice.files[0], rows)
    enroll, probe = choice.files
    return read_trial_tables(enroll, probe, rows)
