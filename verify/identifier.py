"""Who of a collection is this? Candidates from the gallery, exact likelihood ratios, one threshold for all of them.

    samples → embeddings → candidates of each modality → their templates, as stored now → LLR as in `verify.verifier`
    MATCH  iff  the best score >= threshold(target FAR, modalities sent, people searched)

Only people who are enrolled in every modality that was sent can match, and only if each could be read: as with claims,
nobody gets an easier test by covering the camera. The gallery proposes and never decides: what is compared are the
templates that the store holds at that moment, opened with every check there is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, acquire_all, no_checkpoint, require_modalities
from enroll.stores.store import TemplateStore
from enroll.template import Template
from verify.claimed import Claimed, require_one
from verify.decision import SampleEvidence
from verify.evidence import by_modality, shares, stated, usable
from verify.gallery.gallery import Gallery
from verify.gallery.search import Near, worth_comparing
from verify.search_threshold import SearchThresholds
from verify.verifier import Verifier

MOST = 100
"""People that one answer may name."""
CANDIDATES = 16
MATCHED_CANDIDATES = 48
"""Of a model that matches frames: the embedding is only a part of its score."""


@dataclass(frozen=True, slots=True)
class Match:
    """A person who reaches the threshold, with the ratio of each sample."""

    person: str
    score: float
    llrs: tuple[float | None, ...]

    @property
    def probability(self) -> float:
        """Of this comparison alone, given even prior odds, in [0, 1]."""
        return float(expit(self.score))


@dataclass(frozen=True, slots=True)
class Identification:
    """The outcome of one search: whoever matches, best first, and the rule it was decided by.

    `models` : modality → digest of the model that read its samples. `left_out` : modalities without a sample that could
    be read, which leave the search without a match.
    """

    matches: tuple[Match, ...]
    threshold: float
    target_far: float
    comparison_far: float
    people: int
    beyond_evidence: bool
    policy_id: str
    samples: tuple[SampleEvidence, ...]
    models: Mapping[Modality, str]
    left_out: tuple[Modality, ...] = ()


class Identifier:
    """A verifier's models over a gallery of the same store; safe to use from several threads at once.

    Parameters
    ----------
    candidates : how many people of each modality are compared exactly, at least; None takes the defaults.
    """

    def __init__(
        self, verifier: Verifier, store: TemplateStore, gallery: Gallery, *, candidates: int | None = None
    ) -> None:
        self._models = verifier.models
        self._policies = verifier.policies
        self._roll = store.roll()
        self._gallery = gallery
        self._thresholds = SearchThresholds()
        self._candidates = candidates

    def identify(
        self,
        collection: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        most: int = 1,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Identification:
        """Search the collection for whoever made `samples`, at least one, and name `most` people at most.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        TargetFarUnavailable : no policy has it for the modalities sent; found before any work is done.
        GalleryBuilding : the gallery is not ready yet.
        SampleError : no sample can be used; this is the first one's error.
        StoreError : the store cannot be read, or a candidate's rows were changed.
        """
        require_modalities(self._models, samples)
        sent = sorted({sample.modality for sample in samples})
        policy = self._policies.of(sent)
        policy.row_for(target_far)
        self._gallery.follow(checkpoint)
        acquired = acquire_all({one: self._models[one].encoder for one in sent}, samples, checkpoint=checkpoint)
        require_one(samples, acquired, set(sent))
        people = min(self._gallery.size(collection, modality) for modality in sent)
        rule = self._thresholds.of(policy, target_far, people)
        probes = usable(samples, acquired)
        left_out = tuple(one for one in sent if one not in probes)
        best: list[Match] = []
        if not left_out:
            found = self._compare(collection, samples, acquired, self._propose(collection, probes, most), checkpoint)
            best = sorted((one for one in found if one.score >= rule.threshold), key=lambda one: -one.score)[:most]
        llrs = best[0].llrs if best else (None,) * len(samples)
        return Identification(
            matches=tuple(best),
            threshold=rule.threshold,
            target_far=rule.target_far,
            comparison_far=rule.comparison_far,
            people=people,
            beyond_evidence=rule.beyond_evidence,
            policy_id=rule.policy_id,
            samples=stated(samples, acquired, llrs),
            models={one: self._models[one].model_digest for one in probes},
            left_out=left_out,
        )

    def _propose(self, collection: str, probes: Mapping[Modality, NDArray[np.float32]], most: int) -> list[str]:
        """The candidates of every modality, each once."""
        refs: dict[str, None] = {}
        for modality, rows in probes.items():
            usual = CANDIDATES if self._models[modality].identity.spec.matching is None else MATCHED_CANDIDATES
            vector = self._gallery.spaces[modality].of_probes(rows)
            count = max(self._candidates or usual, 2 * most)
            found: Sequence[Near] = self._gallery.candidates(collection, modality, vector, count)
            if self._models[modality].identity.spec.matching is None:
                found = worth_comparing(found, 2 * most)
            refs |= dict.fromkeys(one.ref for one in found)
        return list(refs)

    def _compare(
        self,
        collection: str,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        refs: Sequence[str],
        checkpoint: Callable[[], None],
    ) -> list[Match]:
        """The exact scores of candidates, those who can be compared in every modality that was sent."""
        sent = {sample.modality for sample in samples}
        found: list[Match] = []
        for templates in self._roll.of(refs).values():
            checkpoint()
            # Enrolled in another collection, or by another model, since the gallery was asked.
            if templates[0].collection != collection or not self._current(templates, sent):
                continue
            claimed = Claimed.of(self._models, templates, sent)
            if claimed.people.keys() != sent:
                continue
            llrs = claimed.llrs(samples, acquired)
            score = sum(shares(by_modality(samples, llrs)).values())
            found.append(Match(templates[0].person, score, tuple(llrs)))
        return found

    def _current(self, templates: Sequence[Template], sent: set[Modality]) -> bool:
        made = {template.modality: template.model_digest for template in templates}
        return all(made.get(one) == self._models[one].model_digest for one in sent)
