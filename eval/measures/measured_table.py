"""One table of scores → the blocks of results.json that follow from it alone.

Every kind of impostor has rates of its own, rates by group, and rates at thresholds set on development people: those
of another table, or of the table's own split.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from encode.errors import TrialsError
from eval.measures.fold_accuracy import fold_accuracy
from eval.measures.group_rates import group_columns
from eval.measures.identification import identify
from eval.measures.person_thresholds import person_thresholds
from eval.measures.rates import measure
from eval.measures.transfer import transfer, transferred_points
from eval.plans.parts import parts_of, table_within
from eval.resampling.bootstrap import DEFAULT_REPLICATES, Replicates, bootstrap
from eval.results.kind_results import KindResults
from eval.results.search_results import Identification
from eval.trials import IMPOSTOR_KINDS, ScoreTable, TrialKind
from verify.policy import Policy


@dataclass(frozen=True)
class MeasuredTable:
    """What a table of scores shows.

    Attributes
    ----------
    table : the trials that the rates are of: all, or those of test people where some people only set thresholds.
    blocks, bootstraps : by kind of impostor, those that the table holds; the replicates are those behind the intervals.
    identification : 1:N search, where the trials show it.
    """

    table: ScoreTable
    blocks: Mapping[TrialKind, KindResults]
    bootstraps: Mapping[TrialKind, Replicates]
    identification: Identification | None

    @property
    def interval(self) -> str:
        """How the intervals of the first kind were made."""
        return next(iter(self.bootstraps.values())).method


def measure_table(
    table: ScoreTable,
    *,
    development: ScoreTable | None = None,
    policy: Policy | None = None,
    fte: float = 0.0,
    folds_accuracy: bool = False,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> MeasuredTable:
    """Measure every kind of impostor in `table`.

    Parameters
    ----------
    development : scores of other people by the same model, whose thresholds are reported here; None takes the parts of
        `table.splits`, where people are split and can be kept apart.
    policy : of the bundle, whose thresholds are reported too.
    fte : share of people who failed to enroll.
    folds_accuracy : also the accuracy over the folds that `table.splits` names, as trial lists are reported by.
    replicates, seed : of every bootstrap.

    Raises
    ------
    TrialsError : the table lacks genuine or impostor trials, or a rate cannot be computed; of development scores, as
        `require_apart`, or if they hold no kind of impostor that `table` holds.
    """
    kinds = [kind for kind in IMPOSTOR_KINDS if table.counts[kind]]
    if not table.counts[TrialKind.GENUINE] or not kinds:
        missing = "impostor" if not kinds else "genuine"
        raise TrialsError(f"there are no {missing} trials", fix="a rate needs genuine and impostor trials")
    if development is not None:
        require_apart(development, table)
        if not any(development.counts[kind] for kind in kinds):
            kind_names = " or ".join(kind.value for kind in kinds)
            raise TrialsError(f"the development scores hold no {kind_names} impostor trials", field="development")
    whole, table = table, table if development is not None else _tested(table)
    blocks: dict[TrialKind, KindResults] = {}
    bootstraps: dict[TrialKind, Replicates] = {}
    for kind in kinds:
        sides = table.of(TrialKind.GENUINE), table.of(kind)
        bootstraps[kind] = bootstrap(*sides, replicates=replicates, seed=seed)
        block = measure(*sides, bootstraps[kind], policy=policy, fte=fte)
        fars = [row.far for row in block.frr_at_far]
        further: dict[str, object] = {"groups": group_columns(table, kind, replicates=replicates, seed=seed)}
        if development is not None and development.counts[kind]:
            from_others = development.of(TrialKind.GENUINE), development.of(kind)
            further["at_development"] = transferred_points(from_others, sides, fars, replicates=replicates, seed=seed)
        elif development is None and _can_split(whole, kind):
            further["at_development"] = transfer(whole, kind, fars, replicates=replicates, seed=seed)
        if folds_accuracy and table.splits and len(parts_of(table.splits)) > 1:
            further["fold_accuracy"] = fold_accuracy(*sides, table.splits)
        further["person_thresholds"] = person_thresholds(*sides, replicates=replicates, seed=seed)
        blocks[kind] = block.model_copy(update=further)
    known = bool(table.people) and TrialKind.RANDOM in blocks
    found = identify(table, replicates=replicates, seed=seed) if known else None
    return MeasuredTable(table, blocks, bootstraps, found)


def require_apart(development: ScoreTable, test: ScoreTable) -> None:
    """Raise TrialsError where the same person is in both tables, or where two models made them.

    People are known by name; where one side does not tell them, nothing can be checked.
    """
    shared = sorted(set(development.people) & set(test.people))
    if shared:
        raise TrialsError(
            f"{len(shared)} people are in both the development and the test scores, such as {shared[0]!r}",
            field="development",
            fix="a threshold set on the people it is reported for is no test",
        )
    if development.model_digest and test.model_digest and development.model_digest != test.model_digest:
        raise TrialsError("the development scores are of another model", field="development")


def _tested(table: ScoreTable) -> ScoreTable:
    """The trials of test people; of folds, in which everybody is tested once, and without a split, all of them."""
    if not table.splits or not any(table.splits) or (table.source is None and table.counts[TrialKind.RANDOM]):
        return table
    parts = parts_of(table.splits)
    return table_within(table, parts[0].test) if len(parts) == 1 else table


def _can_split(table: ScoreTable, kind: TrialKind) -> bool:
    """Whether people are split, and trials tell enough to keep the parts apart."""
    return table.splits is not None and any(table.splits) and (kind is TrialKind.SKILLED or table.source is not None)
