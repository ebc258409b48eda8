"""Which people set a policy's thresholds: the development part of a corpus, or that of scores already made.

Nobody who trained the model may be among them (their own scores are too good), and where a split says who is a test
person, no test person takes part in either role.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from encode.bundle import Bundle
from encode.errors import CorpusInvalid, CorpusOverlap, FieldMissing, PolicyMismatch, TrialsError, WrongModality
from eval.corpora.corpus import Corpus
from eval.files.score_file import read_scores, score_path
from eval.plans.parts import DEVELOPMENT, TEST, table_within
from eval.plans.splits import TRAINING, require_one_part
from eval.results.results import RESULTS
from eval.trials import ScoreTable, TrialKind
from eval.verdicts.gate import read_measured

EVERYBODY = "all"
"""As a part: everybody, whatever the split says."""


@dataclass(frozen=True)
class DevelopmentScores:
    """Scores of development people, and what a policy says of them; `references` is None where it is not known."""

    table: ScoreTable
    corpus_name: str
    corpus_digest: str
    references: int | None


def development_corpus(corpus: Corpus, bundle: Bundle, part: str | None = None) -> Corpus:
    """The people of `corpus` that may set thresholds of `bundle`.

    Parameters
    ----------
    part : the value of their `split`; None takes `development` where there is one and everybody where nobody is kept
        for test or training, `all` everybody.

    Raises
    ------
    CorpusOverlap : somebody is in two parts, or the people trained the model; CorpusInvalid : nobody is in the part;
    FieldMissing : people are for test or training, none for development, and no part is named.
    """
    parts: dict[str, set[str]] = {}
    for row in corpus.rows:
        parts.setdefault(row.person, set()).add(row.split or "")
    chosen = _chosen(part, {name for names in parts.values() for name in names})
    if chosen is not None:
        require_one_part(parts, unnamed="no part")
        kept = [person for person, names in parts.items() if chosen in names]
        if not kept:
            raise CorpusInvalid(f"nobody in {corpus.name} is in the part {chosen!r}", field="split")
        corpus = corpus.only(kept, name=f"{corpus.name} ({chosen})")
    _refuse_training(bundle, corpus.digest)
    return corpus


def development_scores(path: Path, bundle: Bundle, part: str | None = None) -> DevelopmentScores:
    """The scores in `path`, or in its scores.parquet, with what the results.json beside them says of the corpus.

    `part` is as in :func:`development_corpus`.

    Raises
    ------
    PolicyMismatch : another model made them; WrongModality : the corpus is of another modality than `bundle` reads.
    TrialsError : they do not tell their corpus, or not who is in the part asked for.
    CorpusOverlap : the people trained the model. FieldMissing : as of :func:`development_corpus`.
    """
    file = score_path(path)
    table = read_scores(file)
    if not table.model_digest:
        raise PolicyMismatch(
            "the scores do not tell which model made them", field=file.name, fix="measure the bundle on a corpus"
        )
    if table.model_digest != bundle.model_digest:
        raise PolicyMismatch(
            f"the scores are of the model {table.model_digest[:12]}…, not of {bundle.model_digest[:12]}…",
            field=file.name,
            fix="name the bundle that made them, or measure this one",
        )
    corpus, references = _facts_beside(file, table.model_digest)
    if corpus["modality"] != bundle.manifest.modality.value:
        raise WrongModality(
            f"the scores are of {corpus['modality']} samples, the bundle reads {bundle.manifest.modality.value}",
            field="bundle",
        )
    _refuse_training(bundle, corpus["digest"])
    name = corpus["name"]
    chosen = _chosen(part, set(table.splits or ()))
    if chosen is not None:
        table, name = _only(table, chosen), f"{name} ({chosen})"
    return DevelopmentScores(table, name, corpus["digest"], references)


def _chosen(part: str | None, parts: set[str]) -> str | None:
    """The part to keep; None for everybody. Raises FieldMissing where some people are kept for another use."""
    if part is None and DEVELOPMENT not in parts and (reserved := sorted(parts & {TEST, *TRAINING})):
        raise FieldMissing(
            f"people are split, some are for {' and '.join(reserved)}, and nobody is for development",
            field="split",
            fix="name the part that may set thresholds, or all for everybody",
        )
    if part is None:
        return DEVELOPMENT if DEVELOPMENT in parts else None
    return None if part == EVERYBODY else part


def _facts_beside(file: Path, model_digest: str) -> tuple[dict[str, Any], int | None]:
    """The corpus that results.json beside `file` names, and with how many references people were enrolled."""
    beside = file.with_name(RESULTS)
    measure = "measure the bundle with `countersign eval run`, or give the corpus itself"
    if not beside.is_file():
        raise TrialsError(
            f"nothing tells which people the scores are of: there is no {RESULTS} beside them",
            field=file.name,
            fix=measure,
        )
    document = read_measured(beside)
    if not document.get("corpus"):
        raise TrialsError(
            f"{RESULTS} names no corpus, so nothing tells whose scores they are", field=RESULTS, fix=measure
        )
    if document["bundle"].get("model_digest") != model_digest:
        raise TrialsError(f"{RESULTS} is of another model than the scores beside it", field=RESULTS, fix=measure)
    return document["corpus"], document["protocol"].get("references")


def _only(table: ScoreTable, part: str) -> ScoreTable:
    """The trials whose people, claimed and probing, are all in `part`; forgers are in none and stay."""
    if table.splits is None or part not in table.splits:
        raise TrialsError(f"no person of the scores is in the part {part!r}", field="split")
    if table.source is None and table.counts[TrialKind.RANDOM]:
        raise TrialsError(
            "the scores do not tell who made the probes, so test people may be among them", field="source"
        )
    return table_within(table, np.array([split == part for split in table.splits]))


def _refuse_training(bundle: Bundle, corpus_digest: str) -> None:
    if bundle.manifest.roles.get(corpus_digest) == "training":
        raise CorpusOverlap(
            "these people trained the model: its thresholds on them would not hold for anybody else",
            field="corpus",
            fix="use people that the model has not seen, or the development part of these with --split",
        )
