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
from encode.errors import CorpusInvalid, FieldMissing, TrialsError
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.plans.protocol import Protocol
from eval.policies.policy_builder import TARGET_FARS, build_policy
from eval.policies.policy_sources import DevelopmentScores
from eval.scoring import score_corpus
from eval.trials import TrialKind
from verify.model import load_model
from verify.policy import Policy
from verify.verifier import Verifier

REFERENCES = (5, 3, 2, 1)
"""Tried in this order, until `LEAST_PEOPLE` can be enrolled and still have a sample left to probe with."""

LEAST_PEOPLE = 8


def development_policy(
    bundle: Bundle,
    corpus: Corpus,
    *,
    impostor: TrialKind | None = None,
    references: int | None = None,
    draws: int = 5,
    target_fars: Sequence[float] = TARGET_FARS,
    impostors_per_person: int | None = None,
    impostor_samples: int | None = None,
    versions: int = 1,
    seed: int = 0,
    quiet: bool = True,
) -> Policy:
    """The policy of `bundle` measured on `corpus`, whose people it must not have been trained on.

    Parameters
    ----------
    impostor : which impostors the thresholds are set against; by default forgers if there are forgeries, otherwise
        everyone against everyone else, also those with a single sample.
    references : samples that enroll a person; by default as many as enough people can give.
    impostors_per_person, impostor_samples : as of `eval.plans.protocol.Protocol`.
    versions : how many forgeries of the corpus stem from each recording.

    Raises
    ------
    CorpusInvalid where forgers are asked for and there are none; TrialsError where there are too few people or samples
    for any threshold; others as :func:`build_policy`.
    """
    modality = bundle.manifest.modality
    model = load_model(bundle.path)
    verifier = Verifier({modality: model}, MemoryStore())
    rows = [row for row in corpus.rows if row.modality is modality]
    chosen = impostor or (TrialKind.SKILLED if any(row.kind == "forgery" for row in rows) else TrialKind.RANDOM)
    if chosen is TrialKind.SKILLED:
        require_forgeries(corpus, field="impostor")
    enrolled_with = references or enough_references(rows, least=model.identity.minimum)
    protocol = Protocol(
        references=enrolled_with,
        draws=draws,
        seed=seed,
        # Against forgers other people are not measured: comparing them too would take most of the time.
        impostors_per_person=1 if chosen is TrialKind.SKILLED else impostors_per_person,
        impostor_samples=impostor_samples,
    )
    return build_policy(
        score_corpus(corpus, verifier, modality, protocol, quiet=quiet).table,
        modality=modality,
        corpus_name=corpus.name,
        corpus_digest=corpus.digest,
        references=enrolled_with,
        impostor=chosen,
        target_fars=target_fars,
        versions=versions,
        seed=seed,
    )


def require_forgeries(corpus: Corpus, *, field: str) -> None:
    """Raise CorpusInvalid, naming the option `field`, where there are no forgeries to set thresholds against."""
    if all(row.kind == "genuine" for row in corpus.rows):
        raise CorpusInvalid(
            f"{corpus.name} holds no forgeries to set thresholds against", field=field, fix="set them against random"
        )


def policy_of_scores(
    scores: DevelopmentScores,
    *,
    modality: Modality,
    impostor: TrialKind | None = None,
    references: int | None = None,
    target_fars: Sequence[float] = TARGET_FARS,
    seed: int = 0,
) -> Policy:
    """The policy of scores already made; arguments are as of :func:`development_policy`.

    Raises FieldMissing where neither the scores nor `references` tell with how many references people were enrolled.
    """
    enrolled_with = references or scores.references
    if enrolled_with is None:
        raise FieldMissing(
            "nothing tells with how many references people were enrolled", field="references", fix="say it"
        )
    forged = scores.table.counts[TrialKind.SKILLED]
    return build_policy(
        scores.table,
        modality=modality,
        corpus_name=scores.corpus_name,
        corpus_digest=scores.corpus_digest,
        references=enrolled_with,
        impostor=impostor or (TrialKind.SKILLED if forged else TrialKind.RANDOM),
        target_fars=target_fars,
        seed=seed,
    )


def enough_references(rows: Sequence[Row], *, least: int) -> int:
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
