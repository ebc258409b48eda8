"""Thresholds for a fresh bundle: score its development people, build the policy.

A FAR rises with the number of references behind a template, so people are enrolled with as many as the service keeps by
default; with fewer only where too few people have that many samples, as is common in corpora from the wild. The policy
says how many it was.

Where the corpus holds forgeries, the thresholds are set against them: whoever imitates a signature is the impostor that
a signature is asked for. Faces have none, and theirs are set against other people's. The policy says which.
"""

from collections import Counter
from collections.abc import Sequence

from encode.bundle import Bundle
from encode.errors import TrialsError
from enroll.memory_store import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.policy_builder import build_policy
from eval.protocol import Protocol
from eval.scoring import score_corpus
from eval.trials import TrialKind
from verify.model import load_model
from verify.policy import Policy
from verify.verifier import Verifier

REFERENCES = (5, 3, 2, 1)
"""Tried in this order, until `LEAST_PEOPLE` can be enrolled and still have a sample left to probe with."""

LEAST_PEOPLE = 8


def development_policy(bundle: Bundle, corpus: Corpus, *, draws: int = 5, versions: int = 1, seed: int = 0) -> Policy:
    """The policy of `bundle` measured on `corpus`, whose people it must not have been trained on.

    The impostors are the forgers if there are forgeries; otherwise everyone acts as one against everyone else, also
    those with a single sample. `versions` says how many forgeries of the corpus stem from each recording. Raises
    TrialsError where there are too few people or samples for any threshold.
    """
    modality = bundle.manifest.modality
    model = load_model(bundle.path)
    verifier = Verifier({modality: model}, MemoryStore())
    rows = [row for row in corpus.rows if row.modality is modality]
    references = _references(rows, least=model.identity.minimum)
    # Against forgeries other people are not measured: comparing them too would take most of the time.
    others = 1 if any(row.kind == "forgery" for row in rows) else None
    protocol = Protocol(references=references, draws=draws, seed=seed, impostors_per_person=others)
    table = score_corpus(corpus, verifier, modality, protocol, quiet=True).table
    return build_policy(
        table,
        modality=modality,
        corpus_name=corpus.name,
        corpus_digest=corpus.digest,
        references=references,
        impostor=TrialKind.SKILLED if table.counts[TrialKind.SKILLED] else TrialKind.RANDOM,
        versions=versions,
        seed=seed,
    )


def _references(rows: Sequence[Row], *, least: int) -> int:
    counts = Counter(row.person for row in rows if row.kind == "genuine").values()
    possible = [number for number in REFERENCES if number >= least]
    for number in possible:
        if sum(count > number for count in counts) >= LEAST_PEOPLE:
            return number
    if possible and any(count > possible[-1] for count in counts):
        return possible[-1]
    raise TrialsError(
        "no development person has a sample left to probe with", field="corpus", fix="add samples of each person"
    )
