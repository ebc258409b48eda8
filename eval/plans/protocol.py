"""The derived protocol: which samples enroll a person, and which probes then claim to be that person.

For every person with enough samples and every draw,

    references   `references` of the person's usable genuine samples: of the first `reference_pool` in order if given,
                 else of those that the corpus offers for it (`Row.may_enroll`)
    genuine      the person's remaining genuine samples, of the pool or not
    random       other people's genuine samples, or `impostor_samples` of each: zero-effort impostors
    skilled      the forgeries that imitate the person

Draws of one person differ in their references, so there are never more than the combinations allow. Everything follows
from the seed and the identifiers: the order of the rows does not matter, and what is drawn for one person does not
depend on who else is in the corpus, but for the impostors, who are those other people.

Samples that cannot be acquired (ISO/IEC 19795-1): at enrolment the next sample drawn is presented instead, as an
operator would ask for another picture; a person left with fewer than `references` usable samples fails to enroll, is
counted so, and is not claimed. As probes they stay in, and count as rejections.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid, FieldInvalid, TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Row
from eval.plans.plan import Claim, Indices, Plan, Roster

DEFAULT_IMPOSTORS = 1000
"""Zero-effort probes per person and draw: all of them for a few hundred samples, a seeded sample of LFW's thousands."""

IMPOSTOR_SAMPLES: Mapping[Modality, int | None] = {Modality.FACE: None, Modality.SIGNATURE: 1}
"""Zero-effort probes of each other person in one draw, None for all: one signature is the custom (as in SVC2004)."""


@dataclass(frozen=True)
class Protocol:
    """How trials are derived from a corpus.

    Attributes
    ----------
    references : samples that enroll a person, at least 1.
    draws : times that every person is enrolled, each with other references, at least 1.
    seed : of every choice made, at least 0.
    reference_pool : take references among the person's first so many genuine samples in the corpus's own order; None
        leaves the choice to the corpus, which commonly offers all.
    impostors_per_person : most zero-effort probes against one person in one draw; None for all there are.
    impostor_samples : most zero-effort probes of each other person in one draw, drawn anew each time; None for all.
    """

    references: int = 5
    draws: int = 10
    seed: int = 0
    reference_pool: int | None = None
    impostors_per_person: int | None = DEFAULT_IMPOSTORS
    impostor_samples: int | None = None

    def __post_init__(self) -> None:
        for name, least in {"references": 1, "draws": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise FieldInvalid(f"must be at least {least}, not {getattr(self, name)}", field=name)
        if self.reference_pool is not None and self.reference_pool < self.references:
            raise FieldInvalid(
                f"a pool of {self.reference_pool} cannot give {self.references} references", field="reference_pool"
            )
        for name in ("impostors_per_person", "impostor_samples"):
            most = getattr(self, name)
            if most is not None and most < 1:
                raise FieldInvalid("must be at least 1", field=name, fix="leave it out, or 0 for all")


def derive(rows: Sequence[Row], protocol: Protocol, usable: NDArray[np.bool_]) -> Plan:
    """The trials of `rows` under `protocol`.

    Parameters
    ----------
    rows : of one modality, in any order.
    usable : bool (len(rows),), whether each row's sample could be acquired.

    Raises
    ------
    TrialsError if nobody can be claimed, CorpusInvalid if a reference pool is asked of rows without an order.
    """
    roster = Roster(rows, usable)
    usable = roster.usable
    claims: list[Claim] = []
    too_few: list[str] = []
    failed: list[str] = []
    for index, person in enumerate(roster.people):
        own = roster.own(index)
        pool = reference_pool(own, roster.rows, protocol.reference_pool)
        if len(own) <= protocol.references or len(pool) < protocol.references:
            too_few.append(person)
            continue
        if np.count_nonzero(usable[pool]) < protocol.references:
            failed.append(person)
            continue
        generator = person_generator(protocol.seed, person)
        others, forgeries = roster.others(index), roster.forgeries(index)
        draws = draw_references(pool, usable, protocol, generator)
        for draw, (references, presented) in enumerate(draws):
            claims.append(
                Claim(
                    person=index,
                    draw=draw,
                    references=references,
                    genuine=np.setdiff1d(own, presented),
                    random=zero_effort_probes(others, roster.owner, protocol, generator),
                    skilled=forgeries,
                )
            )
    if not claims:
        raise TrialsError(
            f"nobody has the {protocol.references + 1} genuine samples that {protocol.references} references "
            "and a probe need",
            fix="lower --references, or use a corpus with more samples a person",
        )
    return roster.plan(claims, too_few=too_few, failed_to_enroll=failed)


def person_generator(seed: int, person: str) -> np.random.Generator:
    """A stream of one person's own, so that nobody's draws depend on who else is there."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(person.encode()).digest())])


def reference_pool(own: Indices, rows: Sequence[Row], first: int | None) -> Indices:
    """The samples that references may be drawn from: what the corpus offers, or the first ones in its order."""
    if first is None:
        return own[[rows[index].may_enroll for index in own]]
    orders = []
    for index in own:
        order = rows[index].order
        if order is None:
            raise CorpusInvalid(
                f"sample {rows[index].id!r} has no order, which a reference pool needs",
                field="order",
                fix="leave out --reference-pool, or give the manifest an order column",
            )
        orders.append(order)
    return own[np.argsort(orders, kind="stable")[:first]]


def draw_references(
    pool: Indices, usable: NDArray[np.bool_], protocol: Protocol, generator: np.random.Generator
) -> list[tuple[Indices, Indices]]:
    """Per draw: the references, and all samples presented to get them (unusable ones included), both ascending."""
    wanted = min(protocol.draws, math.comb(int(np.count_nonzero(usable[pool])), protocol.references))
    found: dict[bytes, tuple[Indices, Indices]] = {}
    while len(found) < wanted:
        order = generator.permutation(np.sort(pool))
        last = np.flatnonzero(np.cumsum(usable[order]) == protocol.references)[0]
        presented = np.sort(order[: last + 1])
        references = presented[usable[presented]]
        found.setdefault(references.tobytes(), (references, presented))
    return list(found.values())


def zero_effort_probes(others: Indices, owner: Indices, protocol: Protocol, generator: np.random.Generator) -> Indices:
    """The zero-effort probes of one draw, ascending, of `others`; `owner` is everybody's person by sample."""
    if protocol.impostor_samples is not None:
        shuffled = generator.permutation(others)
        shuffled = shuffled[np.argsort(owner[shuffled], kind="stable")]  # by person, in random order within each
        place = np.arange(len(shuffled)) - np.searchsorted(owner[shuffled], owner[shuffled])
        others = np.sort(shuffled[place < protocol.impostor_samples])
    most = protocol.impostors_per_person
    if most is None or len(others) <= most:
        return others
    return np.sort(generator.choice(others, size=most, replace=False))
