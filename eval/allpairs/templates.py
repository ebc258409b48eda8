"""Which samples are templates, which probes each template must not meet, and the order that everything is kept in.

Samples are ordered by person and people by group, so that the genuine part of any block of scores is a rectangle for
each person, and the probes of one group follow each other. Groups are what intervals resample and what a task works on:
people are dealt to them by seed.

    references = 1   every sample is a template once, and a probe against every template but its own
    references > 1   the derived protocol (`eval.plans.protocol`): in each of `draws` enrolments references are drawn by
                     seed, the person's remaining samples are genuine probes, everybody else's samples are impostors
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid, TrialsError
from eval.allpairs.ragged import Ragged
from eval.plans.protocol import Protocol, draw_references, person_generator

Indices = NDArray[np.int32]
Enrolments = list[tuple[Indices, Indices]]
"""Of one person: the references of each template, and all samples that were presented to get them."""

MOST_GROUPS = 32
"""Enough for the spread of a rate between groups; more would make blocks of scores too small to multiply well."""


@dataclass(frozen=True)
class Templates:
    """The design of a run; samples and people are counted in the order of the run, not of the input.

    Attributes
    ----------
    order : int64 (N,), index in the input of each usable sample.
    sample_offsets : int64 (P + 1,), samples of person p are ``sample_offsets[p]`` … ``sample_offsets[p + 1]`` − 1.
    owner : int32 (T,), whose template it is, ascending.
    references : T lists of samples that a template is made of.
    excluded : T lists of samples that are no probes against it: its references and whatever was presented for them.
    group_offsets : int64 (G + 1,), templates of group g are ``group_offsets[g]`` … ``group_offsets[g + 1]`` − 1.
    acting_offsets : int64 (G + 1,), the same of the samples that the group's people made.
    failed : int64 (2, G), genuine and impostor trials against each group whose probe could not be acquired.
    acting_failed : int64 (G,), impostor trials with such a probe by the group's people.
    samples : of everybody, whether they could be acquired or not.
    people : how many are claimed.
    genuine_probes : distinct samples among the genuine probes, which is as many pairs of claimed person and probe.
    impostor_comparisons : distinct pairs of claimed person and impostor probe.
    too_few_samples, failed_to_enroll : how many people are not claimed for want of samples, or of usable ones.
    """

    order: NDArray[np.int64]
    sample_offsets: NDArray[np.int64]
    owner: Indices
    references: Ragged
    excluded: Ragged
    group_offsets: NDArray[np.int64]
    acting_offsets: NDArray[np.int64]
    failed: NDArray[np.int64]
    acting_failed: NDArray[np.int64]
    samples: int
    people: int
    genuine_probes: int
    impostor_comparisons: int
    too_few_samples: int
    failed_to_enroll: int


def design(
    owner: Indices,
    names: tuple[str, ...],
    usable: NDArray[np.bool_],
    *,
    references: int = 1,
    draws: int = 1,
    seed: int = 0,
) -> Templates:
    """The templates of a run.

    Parameters
    ----------
    owner : int32 (N,), index into `names` of whoever each sample is of; samples in the order of their ids.
    names : the people's names, from which their references are drawn.
    usable : bool (N,), whether each sample could be acquired.
    references, draws, seed : see the module.

    Raises
    ------
    TrialsError for fewer than two people with templates, or no genuine trial; FieldInvalid for draws of single
    references.
    """
    protocol = Protocol(references, draws, seed, impostors_per_person=None)
    if references == 1 and draws > 1:
        raise FieldInvalid(
            "with one reference every sample is a template already", field="draws", fix="leave it out, or give 1"
        )
    own = _samples_by_person(owner, len(names))
    enrolments: list[Enrolments] = []
    too_few = failed_to_enroll = 0
    for person, samples in enumerate(own):
        ready = samples[usable[samples]]
        if len(ready) < references:
            # Whoever has no sample left to probe with would not be claimed anyway, but where one reference is all.
            enough = len(samples) > references or len(samples) == references == 1
            failed_to_enroll += enough
            too_few += not enough
            enrolments.append([])
        elif references == 1:
            enrolments.append([(ready[i : i + 1], ready[i : i + 1]) for i in range(len(ready))])
        elif len(samples) == references:
            too_few += 1
            enrolments.append([])
        else:
            enrolments.append(draw_references(samples, usable, protocol, person_generator(seed, names[person])))
    claimed = np.array([len(drawn) > 0 for drawn in enrolments])
    if claimed.sum() < 2:
        raise TrialsError(
            f"{int(claimed.sum())} people have templates, where comparing all with all takes two or more",
            fix="lower --references, or give the samples of more people",
        )
    order, groups = _dealt(claimed, seed)
    found = _arranged([own[p] for p in order], [enrolments[p] for p in order], groups, usable)
    if not found.genuine_probes:
        raise TrialsError("there is no genuine trial", fix="give several samples of a person")
    return replace(found, too_few_samples=int(too_few), failed_to_enroll=int(failed_to_enroll))


def _samples_by_person(owner: Indices, people: int) -> list[Indices]:
    order = np.argsort(owner, kind="stable").astype(np.int32)
    return np.split(order, np.searchsorted(owner[order], np.arange(1, people)))


def _dealt(claimed: NDArray[np.bool_], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """People in the order of the run, and the group of each; whoever is not claimed is dealt out as well."""
    generator = np.random.default_rng([seed, len(claimed)])
    groups = min(MOST_GROUPS, int(claimed.sum()))
    sides = [generator.permutation(np.flatnonzero(side)) for side in (claimed, ~claimed)]
    dealt = np.concatenate([np.arange(len(side)) * groups // max(len(side), 1) for side in sides])
    order = np.argsort(dealt, kind="stable")
    return np.concatenate(sides)[order], dealt[order]


def _arranged(
    own: list[Indices], enrolments: list[Enrolments], groups: NDArray[np.int64], usable: NDArray[np.bool_]
) -> Templates:
    """Everything in the order of the run; `own`, `enrolments` and `groups` are of the people in that order."""
    ready = [samples[usable[samples]] for samples in own]
    order = np.concatenate(ready).astype(np.int64)
    place = np.full(len(usable), -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    owner = np.repeat(np.arange(len(own), dtype=np.int32), [len(drawn) for drawn in enrolments])
    numbers = np.arange(int(groups[-1]) + 2)
    sample_offsets = np.concatenate([[0], np.cumsum([len(samples) for samples in ready])]).astype(np.int64)
    failed = np.zeros((2, len(numbers) - 1), np.int64)
    acting_failed = np.zeros(len(numbers) - 1, np.int64)
    all_failed, genuine_probes, impostor_comparisons = int((~usable).sum()), 0, 0
    for samples, drawn, group in zip(own, enrolments, groups, strict=True):
        own_failed = int((~usable[samples]).sum())
        shown = np.concatenate([presented for _, presented in drawn]) if drawn else np.empty(0, np.int32)
        failed[0, group] += own_failed * len(drawn) - int((~usable[shown]).sum())
        failed[1, group] += (all_failed - own_failed) * len(drawn)
        acting_failed[group] += own_failed * (len(owner) - len(drawn))
        if drawn:
            # Draws differ, so that only a sample presented in all of them is a probe in none.
            times = np.unique(shown, return_counts=True)[1]
            genuine_probes += len(samples) - int((times == len(drawn)).sum())
            impostor_comparisons += len(usable) - len(samples)
    return Templates(
        order=order,
        sample_offsets=sample_offsets,
        owner=owner,
        references=Ragged.of(place[used] for drawn in enrolments for used, _ in drawn),
        excluded=Ragged.of(place[shown[usable[shown]]] for drawn in enrolments for _, shown in drawn),
        group_offsets=np.searchsorted(groups[owner], numbers).astype(np.int64),
        acting_offsets=sample_offsets[np.searchsorted(groups, numbers)],
        failed=failed,
        acting_failed=acting_failed,
        samples=len(usable),
        people=sum(len(drawn) > 0 for drawn in enrolments),
        genuine_probes=genuine_probes,
        impostor_comparisons=impostor_comparisons,
        too_few_samples=0,
        failed_to_enroll=0,
    )
