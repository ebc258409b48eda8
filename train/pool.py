"""The people of all corpora of a run, by what their samples may be used for.

A person is on one side only, with everything there is of them: the forgeries that imitate a person go where the person
goes. So no network, background or threshold has seen a forgery of somebody it is tested on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from encode.errors import TrainingError
from encode.manifest import CorpusUse
from encode.sample import Modality
from eval.corpora.corpus import Corpus, merge
from eval.corpora.spec import open_corpus
from train.people_split import Role, SplitShares, require_disjoint, split_people


@dataclass(frozen=True)
class Pool:
    """The people of all corpora by role."""

    corpora: Sequence[Corpus]
    cohort: Sequence[Corpus]
    merged: Corpus
    people: dict[Role, tuple[str, ...]]
    modality: Modality = Modality.FACE

    def part(self, role: Role) -> Corpus:
        """The samples of one role's people, forgeries of them included."""
        if not self.people[role]:
            raise TrainingError(
                f"no person falls into the {role.value} part", field="corpus", fix="train on more people (about 60)"
            )
        return self.merged.only(self.people[role], name=f"{self.merged.name}, {role.value} people")

    def policy_part(self) -> Corpus:
        """The people on whom thresholds are set, with the cohort as further impostors.

        Where policy people were forged, it is they, of all corpora: a forgery is compared with the person it imitates
        alone, and both come from one device. Otherwise it is the policy people of the corpus that has most of them
        with two samples: an impostor from another corpus is told apart by the camera, and thresholds set against
        such impostors would promise too much. Policy people with one sample, of any corpus, are impostors as the
        cohort is.
        """
        held = self.part(Role.POLICY)
        forged = sorted({row.person for row in held.rows if row.kind == "forgery"})
        if forged:
            kept, name = held.only(forged), f"{self.merged.name} (policy people)"
        else:
            samples = Counter(row.person for row in held.rows)
            by_corpus = Counter(person.partition("/")[0] for person in held.people if samples[person] > 1)
            largest, _ = (by_corpus or Counter(person.partition("/")[0] for person in held.people)).most_common(1)[0]
            kept = held.only(
                person for person in held.people if person.startswith(f"{largest}/") or samples[person] == 1
            )
            name = f"{largest} (policy people)"
        rows = [*kept.rows, *(row for row in (merge("cohort", self.cohort).rows if self.cohort else ()))]
        return Corpus("+".join([name, *(corpus.name for corpus in self.cohort)]), rows)

    def uses(self) -> list[CorpusUse]:
        """What each corpus gave, for the manifest: people and samples by role, those held out left out."""
        found = []
        for corpus in self.corpora:
            trained = _use(corpus, "training", self.people[Role.TRAINING])
            held = _use(corpus, "development", self.people[Role.BACKGROUND] + self.people[Role.POLICY])
            found += [use for use in (trained, held) if use.people]
        return found + [_use(corpus, "development", _prefixed(corpus)) for corpus in self.cohort]


def open_pool(
    specs: Sequence[str],
    cohort_specs: Sequence[str] = (),
    *,
    modality: Modality = Modality.FACE,
    hold_out: Mapping[str, float] | None = None,
    shares: SplitShares = SplitShares(),  # noqa: B008 (frozen)
) -> Pool:
    """Open the corpora and divide their people; cohort corpora give impostors to the policy and nothing else.

    Of faces, only people's own images count; of signatures, forgeries are kept as what they are. `hold_out` names
    corpora and the share of their people who are used for nothing; `shares` divides the rest.

    Raises TrainingError, CorpusError kinds.
    """
    if not specs:
        raise TrainingError("no corpus given", field="corpus", fix="name at least one, for example lfw:DIR")
    corpora = [_of_modality(open_corpus(spec), modality) for spec in specs]
    cohort = [_of_modality(open_corpus(spec), modality) for spec in cohort_specs]
    for extra in cohort:
        for corpus in corpora:
            require_disjoint(corpus, extra)
    merged = merge("+".join(corpus.name for corpus in corpora), corpora)
    return Pool(corpora, cohort, merged, split_people(merged.people, hold_out, shares), modality)


def _of_modality(corpus: Corpus, modality: Modality) -> Corpus:
    kinds = ("genuine",) if modality is Modality.FACE else ("genuine", "forgery")
    rows = [row for row in corpus.rows if row.modality is modality and row.kind in kinds]
    return corpus if len(rows) == len(corpus) else Corpus(corpus.name, rows)


def _use(corpus: Corpus, role: Literal["training", "development"], people: Sequence[str]) -> CorpusUse:
    own = set(people) & set(_prefixed(corpus))
    samples = sum(f"{corpus.name}/{row.person}" in own for row in corpus.rows)
    return CorpusUse(name=corpus.name, digest=corpus.digest, people=len(own), samples=samples, role=role)


def _prefixed(corpus: Corpus) -> list[str]:
    return [f"{corpus.name}/{person}" for person in corpus.people]
