"""Corpus → embeddings → scores, through the same `Verifier` that answers the service's requests.

Every sample is embedded once. A sample that cannot be acquired keeps its reason; as a probe it scores -inf, so that it
is rejected at every threshold and the rates hold the failures to acquire.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid, SampleError, TrialsError
from encode.sample import Modality, Sample
from eval.corpora.corpus import Corpus, Row
from eval.measures.group_rates import person_groups
from eval.plans.plan import Claim, Plan
from eval.plans.plan_choice import PlanChoice, check_choice, derive_plan, rows_of, split_of
from eval.plans.protocol import Protocol
from eval.plans.splits import Split
from eval.progress import track
from eval.trials import KINDS, ScoreTable
from verify.verifier import Verifier

BATCH = 64
"""Samples read and embedded at once: keeps decoded images of a large corpus from piling up; cannot change a result."""

FILE_UNREADABLE = "FILE_UNREADABLE"
"""Reason of a sample whose file cannot be read at all."""


@dataclass(frozen=True)
class Acquired:
    """The embeddings of a corpus.

    Attributes
    ----------
    embeddings : float32 (N, D), one row a sample, zero where it could not be acquired.
    reasons : index of each unusable sample → why.
    """

    embeddings: NDArray[np.float32]
    reasons: Mapping[int, str]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """bool (N,), whether each sample was acquired."""
        mask = np.ones(len(self.embeddings), dtype=np.bool_)
        mask[list(self.reasons)] = False
        return mask

    def of(self, rows: Sequence[Row], kept: Sequence[Row]) -> "Acquired":
        """What was acquired of `kept`, in their order, where `self` is in the order of `rows`."""
        if len(kept) == len(rows):
            return self
        position = {row.id: index for index, row in enumerate(rows)}
        chosen = [position[row.id] for row in kept]
        reasons = {new: self.reasons[old] for new, old in enumerate(chosen) if old in self.reasons}
        return Acquired(self.embeddings[chosen], reasons)

    @property
    def failures(self) -> Mapping[str, int]:
        """Reason → number of samples, most frequent first."""
        return dict(Counter(self.reasons.values()).most_common())


def acquire(rows: Sequence[Row], verifier: Verifier, modality: Modality, *, quiet: bool = False) -> Acquired:
    """Read and embed every row once. Raises TrialsError if no sample at all is usable."""
    vectors: dict[int, NDArray[np.float32]] = {}
    reasons: dict[int, str] = {}
    waiting: dict[int, Sample] = {}

    def embed_waiting() -> None:
        for index, outcome in zip(waiting, verifier.embed(modality, list(waiting.values())), strict=True):
            if isinstance(outcome, SampleError):
                reasons[index] = outcome.reason
            else:
                vectors[index] = outcome
        waiting.clear()

    for index, row in enumerate(track(rows, total=len(rows), label="Embedding samples", quiet=quiet)):
        try:
            waiting[index] = row.load()
        except SampleError as error:
            reasons[index] = error.reason
        except OSError:
            reasons[index] = FILE_UNREADABLE
        if len(waiting) == BATCH:
            embed_waiting()
    embed_waiting()
    if not vectors:
        raise TrialsError(f"none of the {len(rows)} samples could be read: {dict(Counter(reasons.values()))}")
    embeddings = np.zeros((len(rows), next(iter(vectors.values())).size), dtype=np.float32)
    for index, vector in vectors.items():
        embeddings[index] = vector
    return Acquired(embeddings, reasons)


@dataclass(frozen=True)
class Scored:
    """A corpus scored: its rows of one modality by ascending id, what was acquired of them, the plan, the trials."""

    rows: Sequence[Row]
    acquired: Acquired
    plan: Plan
    split: Split | None
    table: ScoreTable


def score_corpus(
    corpus: Corpus,
    verifier: Verifier,
    modality: Modality,
    choice: PlanChoice | Protocol,
    *,
    embedded: Acquired | None = None,
    quiet: bool = False,
) -> Scored:
    """Embed every sample once, make the trials chosen and score them.

    Parameters
    ----------
    choice : which trials; a bare protocol stands for references drawn by it.
    embedded : what was acquired of the corpus's rows before, in their order, so that no file is read.

    Raises
    ------
    CorpusInvalid if no row is of the modality, or the choice is not of these rows; CorpusOverlap for a person on both
    sides of a split; TrialsError if the samples are too few for any trial.
    """
    choice = PlanChoice(protocol=choice) if isinstance(choice, Protocol) else choice
    model = verifier.models[modality]
    kept = [row for row in corpus.rows if row.modality is modality]
    if not kept:
        raise CorpusInvalid(f"{corpus.name} holds no {modality.value} samples", field="modality")
    rows = rows_of(kept, choice)
    check_choice(rows, choice, minimum=model.identity.minimum)  # before hours of embedding, not after
    acquired = acquire(rows, verifier, modality, quiet=quiet) if embedded is None else embedded.of(corpus.rows, rows)
    plan = derive_plan(rows, choice, acquired.usable, minimum=model.identity.minimum)
    split = split_of(rows, choice, plan)
    table = score(plan, acquired, verifier, modality, model.model_digest, quiet=quiet)
    known = replace(table, groups=person_groups(rows, plan.people), splits=split and split.labels)
    return Scored(rows, acquired, plan, split, known)


def score(
    plan: Plan, acquired: Acquired, verifier: Verifier, modality: Modality, model_digest: str, *, quiet: bool = False
) -> ScoreTable:
    """Score every trial of `plan`; `acquired` must hold the samples in the plan's order (ascending id)."""
    usable = acquired.usable
    claims = track(plan.claims, total=len(plan.claims), label="Scoring enrolments", quiet=quiet)
    columns = zip(*(_score_claim(claim, acquired, usable, verifier, modality) for claim in claims), strict=True)
    kind, scores, claimed, draw, probe = (np.concatenate(column) for column in columns)
    return ScoreTable(
        *(plan.people, plan.samples, kind, scores, claimed, draw, probe, model_digest), source=plan.sources[probe]
    )


def _score_claim(
    item: Claim, acquired: Acquired, usable: NDArray[np.bool_], verifier: Verifier, modality: Modality
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The columns kind, score, claim, draw and probe of one claim's trials."""
    by_kind = (item.genuine, item.random, item.skilled)
    probe = np.concatenate(by_kind)
    kind = np.repeat(np.arange(len(KINDS), dtype=np.int8), [len(probes) for probes in by_kind])
    scores = np.full(len(probe), -np.inf)
    readable = usable[probe]
    person = verifier.fit(modality, acquired.embeddings[item.references])
    scores[readable] = verifier.llr(modality, person, acquired.embeddings[probe[readable]])
    claimed = np.full(len(probe), item.person, dtype=np.int32)
    draw = np.full(len(probe), item.draw, dtype=np.int32)
    return kind, scores, claimed, draw, probe
