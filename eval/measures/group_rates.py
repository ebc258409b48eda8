"""Error rates by group of people, at one threshold for everybody.

For every `group_*` column, the claimed people of one value form a group, whose trials alone give, at the threshold
where the FAR over all trials is at most `far`,

    FRR(group)   FAR(group)   ratio = highest of the groups / lowest of the groups

Impostors are whoever claimed to be a person of the group. As people of another group are often the easier impostors
(Grother, Ngan & Hanaoka 2019, *FRVT part 3: demographic effects*, NISTIR 8280, section 3), the FAR of impostors of the
same group is stated beside, where the trials tell who made the probes.

Intervals resample the people of the group and hold the threshold fixed. A group of which fewer than two people have
genuine and impostor trials has no rates: they would be those of a person, not of a group. People of unknown group have
a row of their own, the last, which is in no ratio; a group that the corpus itself calls `unknown` is that row.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eval.corpora.corpus import Row
from eval.measures.metrics import threshold_at_far
from eval.measures.rates import counted_far, counted_frr, supports
from eval.resampling.bootstrap import DEFAULT_REPLICATES, PersonBootstrap
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import GroupColumn, GroupRates
from eval.trials import ScoreTable, TrialKind, Trials

UNKNOWN = "unknown"
"""The row of people whose group nobody knows."""


def group_columns(
    table: ScoreTable,
    kind: TrialKind,
    *,
    far: float = 0.01,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> tuple[GroupColumn, ...]:
    """The rates by every column of `table.groups` in which at least one claimed person has a value.

    Parameters
    ----------
    kind : of impostor, `random` or `skilled`.
    far : the FAR over all trials of the kind, whose a-posteriori threshold is used.
    replicates, seed : of the bootstrap by person.

    Raises
    ------
    TrialsError if there is no acquired impostor trial of the kind, or no genuine trial.
    """
    if not table.groups:
        return ()
    genuine, impostor = table.of(TrialKind.GENUINE), table.of(kind)
    if genuine.is_anonymous:
        return ()
    claimed = np.union1d(genuine.claimed, impostor.claimed)
    threshold = threshold_at_far(impostor.scores, far)
    genuine, impostor = _decided(genuine, threshold), _decided(impostor, threshold)
    expected = ((genuine, 1 - float(genuine.scores.mean())), (impostor, float(impostor.scores.mean())))
    columns = []
    for column, stated in sorted(table.groups.items()):
        values = np.array([value or UNKNOWN for value in stated])
        names = [str(name) for name in np.unique(values[claimed]) if name != UNKNOWN]
        if not names:
            continue
        members = {name: values == name for name in [*names, UNKNOWN] if (values[claimed] == name).any()}
        rows = tuple(
            _group(name, member, claimed, genuine, impostor, replicates, seed) for name, member in members.items()
        )
        known = rows[: len(names)]
        columns.append(
            GroupColumn(
                column=column,
                far=far,
                threshold=threshold,
                rows=rows,
                frr_ratio=_ratio([row.frr for row in known]),
                far_ratio=_ratio([row.far for row in known]),
                beyond_evidence=any(
                    not supports(trials.where(members[name][trials.claim]), rate)
                    for name in names
                    for trials, rate in expected
                ),
            )
        )
    return tuple(columns)


def person_groups(rows: Sequence[Row], people: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Column → the value of each of `people`, as `ScoreTable.groups` holds it.

    A person's own samples tell, forgeries only where there are none: a forgery's group may be the forger's. Samples
    without a value say nothing; where the others disagree, as for an age group that a person grew out of, the
    person's group is unknown (empty).
    """
    found: dict[tuple[str, str, bool], set[str]] = {}
    for row in rows:
        for column, value in row.groups.items():
            if value:
                found.setdefault((column, row.person, row.kind == "genuine"), set()).add(value)
    own = {row.person for row in rows if row.kind == "genuine"}

    def group(column: str, person: str) -> str:
        values = found.get((column, person, person in own), set())
        return next(iter(values)) if len(values) == 1 else ""

    columns = sorted({column for row in rows for column in row.groups})
    return {column: tuple(group(column, person) for person in people) for column in columns}


def _group(
    name: str,
    member: NDArray[np.bool_],
    claimed: NDArray[np.int32],
    genuine: Trials,
    impostor: Trials,
    replicates: int,
    seed: int,
) -> GroupRates:
    """The row of the people for whom `member`, bool (people,), is true; scores are decisions, 1 for accepted."""
    own, others = genuine.where(member[genuine.claim]), impostor.where(member[impostor.claim])
    rates: dict[str, CountedRate] = {}
    if min(len(own.claimed), len(others.claimed)) >= 2:
        bootstrap = PersonBootstrap(own, others, replicates=replicates, seed=seed)
        rates = {"frr": counted_frr(own, 0.5, bootstrap.frr), "far": counted_far(others, 0.5, bootstrap.far)}
        within = None if name == UNKNOWN else _within(others, member)
        if within is not None and len(within.claimed) >= 2:
            bootstrap = PersonBootstrap(own, within, replicates=replicates, seed=seed)
            rates["far_within"] = counted_far(within, 0.5, bootstrap.far)
    return GroupRates(
        group=name, people=int(np.count_nonzero(member[claimed])), genuine=len(own), impostor=len(others), **rates
    )


def _within(impostor: Trials, member: NDArray[np.bool_]) -> Trials | None:
    """The trials whose impostor is known to be of the group; None where the table does not tell who made probes."""
    if impostor.source is None:
        return None
    return impostor.where((impostor.source >= 0) & member[impostor.source])


def _decided(trials: Trials, threshold: float) -> Trials:
    """The same trials, scored 1 where accepted and 0 where rejected: resampling then has two values to look at."""
    return replace(trials, scores=(trials.scores >= threshold).astype(np.float64))


def _ratio(rates: Sequence[CountedRate | None]) -> float | None:
    """Highest by lowest; None for fewer than two groups with a rate, or where the lowest is 0."""
    values = [rate.value for rate in rates if rate is not None]
    return max(values) / min(values) if len(values) >= 2 and min(values) > 0 else None
