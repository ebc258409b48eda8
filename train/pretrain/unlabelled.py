"""Samples without labels: those of the training people, and of corpora of which nothing but the samples is used.

Whoever stops a run early, sets thresholds (a cohort's people among them) or is held out is not learned from, whatever
corpus they come in again.
"""

import dataclasses
from collections.abc import Sequence

import torch

from encode.errors import TrainingError
from eval.corpora.corpus import Corpus, merge
from eval.corpora.spec import open_corpus
from train.pen_set import pen_set
from train.people_split import Role
from train.pixels import PixelSet
from train.pool import Pool
from train.strokes import StrokeSet


def unlabelled_corpus(specs: Sequence[str], pool: Pool) -> Corpus:
    """The training people's samples and those of the corpora named, of the pool's modality.

    Raises TrainingError where a corpus has no sample of that modality left; CorpusError kinds.
    """
    rows = {row.id: row for row in pool.part(Role.TRAINING).rows}
    kept_out = {person for role in Role if role is not Role.TRAINING for person in pool.people[role]}
    if pool.cohort:
        kept_out |= set(merge("cohort", pool.cohort).people)
    for spec in specs:
        opened = open_corpus(spec)
        found = {
            row.id: row
            for row in merge(opened.name, [opened]).rows
            if row.modality is pool.modality and row.person not in kept_out
        }
        if not found:
            raise TrainingError(f"{opened.name} has no {pool.modality.value} to learn from", field="unlabelled")
        rows |= found
    return Corpus("unlabelled", rows.values())


def unlabelled(samples: PixelSet | StrokeSet, network: str) -> PixelSet | StrokeSet:
    """The same samples as `network` learns from them, each a person of its own and none a forgery.

    Forgeries made from other samples (`train.pen_set`) are left out.
    """
    if isinstance(samples, PixelSet):
        names = samples.samples
        return dataclasses.replace(samples, labels=torch.arange(len(names)), people=names, corpus_of=_corpora(names))
    count = len(samples.views)  # rows beyond are forgeries made from these
    names = samples.ids[:count]
    alone = StrokeSet(
        views=samples.views,
        labels=torch.arange(count),
        forged=torch.zeros(count, dtype=torch.bool),
        ids=names,
        people=names,
        corpus_of=_corpora(names),
        unusable=samples.unusable,
        sessions=samples.sessions[:count],
    )
    return pen_set(alone) if network == "pen_residual" else alone


def _corpora(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.partition("/")[0] for name in names)
