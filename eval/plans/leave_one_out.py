"""Leave one out: every genuine sample probes, once, a template of the person's other samples.

For every person and every genuine sample s of that person,

    references   the person's other usable samples that may be references: all, or `most_references` drawn by seed
    genuine      s
    random       other people's genuine samples within the limits of `Protocol`
    skilled      the forgeries that imitate the person

It gets the most genuine comparisons out of few samples a person: n where n samples enroll with n - 1, against one with
a single held-out sample.

Impostors meet the very templates that the genuine probes meet, each template being one claim, so one draw. A further
template of all n samples would be larger than any that a genuine probe meets, and a FAR rises with the number of
references: FAR and FRR would then be rates of two different systems. The price is that an impostor is compared with up
to n templates of one person. That adds precision and no evidence, which is why evidence is judged by distinct pairs of
claimed person and probe (`Trials.comparisons`).

Left-out samples whose templates are the same share a claim: those that may be no references (of another session, say),
and those that could not be acquired, which are rejected as failures to acquire.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid, TrialsError
from eval.corpora.corpus import Row
from eval.plans.plan import Claim, Indices, Plan, Roster
from eval.plans.protocol import Protocol, person_generator, reference_pool, zero_effort_probes


def derive_leave_one_out(
    rows: Sequence[Row],
    protocol: Protocol,
    usable: NDArray[np.bool_],
    *,
    most_references: int | None = None,
    minimum: int = 1,
) -> Plan:
    """The leave-one-out trials of `rows`.

    Parameters
    ----------
    rows : of one modality, in any order.
    protocol : its seed, reference pool and limits on impostors hold; `references` and `draws` do not apply.
    usable : bool (len(rows),), whether each row's sample could be acquired.
    most_references : of a template, at least `minimum`; None for all of the person's other samples.
    minimum : fewest references that the model enrolls with, at least 1. People with fewer than `minimum` + 1 samples
        that may be references are not claimed; people of whose samples too few could be acquired fail to enroll.

    Raises
    ------
    FieldInvalid for limits that contradict each other, TrialsError if nobody can be claimed, CorpusInvalid if a
    reference pool is asked of rows without an order.
    """
    if minimum < 1:
        raise FieldInvalid(f"must be at least 1, not {minimum}", field="minimum")
    if most_references is not None and most_references < minimum:
        raise FieldInvalid(f"the model enrolls with {minimum} references or more", field="references")
    roster = Roster(rows, usable)
    claims: list[Claim] = []
    too_few: list[str] = []
    failed: list[str] = []
    for index, person in enumerate(roster.people):
        own = roster.own(index)
        pool = reference_pool(own, roster.rows, protocol.reference_pool)
        if len(pool) <= minimum:
            too_few.append(person)
            continue
        offered = pool[roster.usable[pool]]
        if len(offered) <= minimum:
            failed.append(person)
            continue
        generator = person_generator(protocol.seed, person)
        others, forgeries = roster.others(index), roster.forgeries(index)
        for draw, (references, left_out) in enumerate(_templates(own, offered, most_references, generator)):
            claims.append(
                Claim(
                    person=index,
                    draw=draw,
                    references=references,
                    genuine=left_out,
                    random=zero_effort_probes(others, roster.owner, protocol, generator),
                    skilled=forgeries,
                )
            )
    if not claims:
        raise TrialsError(
            f"nobody has the {minimum + 1} usable genuine samples that {minimum} references and a probe need",
            fix="use a corpus with more samples a person",
        )
    return roster.plan(claims, too_few=too_few, failed_to_enroll=failed)


def _templates(
    own: Indices, offered: Indices, most: int | None, generator: np.random.Generator
) -> list[tuple[Indices, Indices]]:
    """Per template: its references and the samples of `own` that probe it, both ascending."""
    found: dict[bytes, tuple[Indices, list[int]]] = {}
    for sample in own:
        references = np.sort(offered[offered != sample])
        if most is not None and len(references) > most:
            references = np.sort(generator.choice(references, size=most, replace=False))
        found.setdefault(references.tobytes(), (references, []))[1].append(int(sample))
    return [(references, np.array(left_out, dtype=np.int32)) for references, left_out in found.values()]
