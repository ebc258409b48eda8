"""What results.json says of the corpus, the policy and the failures, whichever run it is of."""

from collections.abc import Mapping, Sequence

from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.resampling.intervals import clopper_pearson
from eval.results.results import CorpusFacts, FailureFacts, PolicyFacts
from eval.scoring import Acquired
from verify.policy import Policy


def corpus_facts(corpus: Corpus, rows: Sequence[Row], modality: Modality, roles: Mapping[str, str]) -> CorpusFacts:
    """`rows` are those of the corpus that were measured; `roles`: corpus digest → its role in making the model."""
    role = roles.get(corpus.digest)
    return CorpusFacts(
        name=corpus.name,
        digest=corpus.digest,
        modality=modality,
        people=len({row.person for row in rows}),
        samples=len(rows),
        forgeries=sum(row.kind == "forgery" for row in rows),
        used_in_making_the_model="training" if role == "training" else "development" if role else None,
    )


def policy_facts(policy: Policy | None) -> PolicyFacts | None:
    """The bundle's policy, if it has one."""
    if policy is None:
        return None
    return PolicyFacts(id=policy.id, impostor=policy.impostor, corpus=policy.corpus.name, trials=policy.trials)


def failure_facts(acquired: Acquired, *, attempted: int, failed: int, too_few_samples: int) -> FailureFacts:
    """Samples that could not be acquired; people who failed to enroll, of those attempted, and who were not."""
    return FailureFacts(
        to_acquire=clopper_pearson(len(acquired.reasons), len(acquired.embeddings)),
        samples=len(acquired.reasons),
        by_reason=dict(acquired.failures),
        to_enroll=clopper_pearson(failed, attempted),
        people_failed=failed,
        people_attempted=attempted,
        people_too_few_samples=too_few_samples,
    )
