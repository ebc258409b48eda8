"""Verifying a claim: samples and a claimed person → likelihood ratio → decision.

    LLR = log p(x | person) − log p(x | everyone else)
    score = Σ over modalities used ( mean LLR of its samples )
    accept  iff  score >= threshold(target FAR, modalities used), and all that was sent is used or the caller takes part

A modality is used if the person is enrolled in it and at least one of its samples can be read. Every other one that was
sent is stated with the reason, and keeps the claim from being accepted unless the caller says otherwise: somebody who
covers the camera must not get an easier test than somebody who looks into it.

For callers who may not know who is enrolled, stand-ins take the place of whoever is not: all rejections look alike.

A plain object without a network or a process: the gRPC service and the evaluator drive this very code.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError, TooFewReferences
from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, Problem, acquire, acquire_all, no_checkpoint, require_modalities
from enroll.enroller import require_same_model
from enroll.person import Person
from enroll.stores.store import TemplateStore, require_person
from enroll.template import Template
from verify.decision import Decision, ModalityEvidence, SampleEvidence, Status
from verify.model import Model, model_of
from verify.policy_choice import PolicyChoice


class StandIns(Protocol):
    """What is compared with where nobody is enrolled; :class:`verify.access.decoy.Decoys` is one."""

    def person(self, modality: Modality) -> Person:
        """Somebody to compare with, for the work of it."""

    def llr(self, collection: str, person: str, modality: Modality, probe: NDArray[np.float32]) -> float:
        """The ratio to tell for a probe (D,)."""


_BELOW = 1e-3
"""Nats by which a concealed claim stays below its threshold at least."""


class Verifier:
    """Composes models (one a modality) with a template store; safe to use from several threads at once.

    Attributes
    ----------
    policies : those the models bring, and those fused of them.
    """

    def __init__(self, models: Mapping[Modality, Model], store: TemplateStore) -> None:
        self._models = models
        self._store = store
        self.policies = PolicyChoice(models)

    @property
    def models(self) -> Mapping[Modality, Model]:
        return self._models

    def embed(self, modality: Modality, samples: Sequence[Sample]) -> list[Acquired]:
        """One item a sample, in order: its embedding, float32 (D,), or the SampleError that says why there is none."""
        return acquire(self._model(modality).encoder, samples)

    def fit(self, modality: Modality, references: NDArray[np.float32]) -> Person:
        """A person with these reference embeddings, float32 (n, D)."""
        return self._model(modality).identity.fit(references)

    def llr(self, modality: Modality, person: Person, probes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated natural-log likelihood ratios of probe embeddings float32 (N, D): float64 (N,)."""
        return self._model(modality).identity.llr(person, probes)

    def decide(
        self,
        evidence: Mapping[Modality, Sequence[float]],
        target_far: float | None = None,
        *,
        others: Mapping[Modality, Status] | None = None,
        accept_partial: bool = False,
    ) -> Decision:
        """The decision on LLRs, at least one a modality.

        Parameters
        ----------
        evidence : what the decision rests on; the threshold is that of exactly these modalities.
        target_far : a fraction of the policy's table; None takes the policy's default.
        others : modalities that the decision does not rest on, and why.
        accept_partial : whether to accept though a modality that was sent is among the others.

        Raises
        ------
        TargetFarUnavailable : the policy holds no threshold for it, or no policy covers these modalities together.
        """
        policy = self.policies.of(evidence)
        row = policy.row_for(target_far)
        means = {modality: float(np.mean(llrs)) for modality, llrs in sorted(evidence.items())}
        used = [
            ModalityEvidence(modality, mean, self._model(modality).model_digest) for modality, mean in means.items()
        ]
        unused = [
            ModalityEvidence(modality, None, self._model(modality).model_digest, status)
            for modality, status in (others or {}).items()
        ]
        return Decision(
            score=sum(means.values()),
            threshold=row.threshold,
            target_far=row.target_far,
            beyond_evidence=policy.beyond_evidence(row),
            policy_id=policy.id,
            modalities=tuple(sorted([*used, *unused], key=lambda part: part.modality)),
            accept_partial=accept_partial,
        )

    def verify(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        accept_partial: bool = False,
        checkpoint: Callable[[], None] = no_checkpoint,
        stand_ins: StandIns | None = None,
    ) -> Decision:
        """Decide whether `samples`, at least one, are of the person.

        Samples that cannot be used, and modalities without one that can, are stated in the decision and left out of it.
        `checkpoint` may raise to abandon the work before its next step.

        With `stand_ins` a rejection does not tell who is enrolled, and in what: every modality that was sent looks
        enrolled, none that was not sent is stated, and neither PersonUnknown nor TooFewReferences is raised.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        TargetFarUnavailable : as :meth:`decide`, for all modalities sent; found before any work is done.
        PersonUnknown : nobody of that name is enrolled.
        ModelMismatch : the person's template was made by another model.
        TooFewReferences : the person has too few references in every modality sent.
        SampleError : no sample can be compared; this is the first one's error.
        """
        require_modalities(self._models, samples)
        sent = {sample.modality for sample in samples}
        # The default may differ from policy to policy: it is that of all modalities sent, whichever are used.
        target = self.policies.of(sent).row_for(target_far).target_far
        if stand_ins is None:
            found = require_person(self._store, collection, person)
        else:
            found = self._store.get(collection, person)
        templates = {template.modality: template for template in found}
        people = self._people(templates, sent, some=stand_ins is None)
        nobodies = {} if stand_ins is None else {one: stand_ins.person(one) for one in sent - people.keys()}
        acquired = acquire_all({m: self._models[m].encoder for m in sent}, samples, checkpoint=checkpoint)
        _require_one(samples, acquired, people.keys() | nobodies.keys())
        llrs = self._llrs(people, samples, acquired)
        used = {sample.modality for sample, llr in zip(samples, llrs, strict=True) if llr is not None}
        if used:
            others = {one: Status.UNUSABLE if one in people else Status.NOT_ENROLLED for one in sent - used}
            others |= dict.fromkeys(self._could_be_sent(templates, sent), Status.NOT_SENT)
            decision = self._stated(samples, acquired, llrs, target, others, accept_partial=accept_partial)
            if stand_ins is None or decision.accepted:
                return decision

        # Nobody is enrolled, or a caller who may not know is rejected; stand-ins are there in either case.
        self._llrs(nobodies, samples, acquired)  # for the work of it
        told = [
            stand_ins.llr(collection, person, sample.modality, result)
            if stand_ins is not None and sample.modality in nobodies and not isinstance(result, SampleError)
            else llr
            for sample, result, llr in zip(samples, acquired, llrs, strict=True)
        ]
        return self._rejected(samples, acquired, told, target, nobodies.keys(), accept_partial=accept_partial)

    def _rejected(
        self,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        llrs: Sequence[float | None],
        target: float,
        nobodies: Set[Modality],
        *,
        accept_partial: bool,
    ) -> Decision:
        """The decision on these ratios, those of `nobodies` lowered where they would be enough together."""
        used = {sample.modality for sample, llr in zip(samples, llrs, strict=True) if llr is not None}
        others = {sample.modality: Status.UNUSABLE for sample in samples if sample.modality not in used}
        decision = self._stated(samples, acquired, llrs, target, others, accept_partial=accept_partial)
        if nobodies & used and decision.score >= decision.threshold:
            # Mirrored at the threshold, so that like probes still get like scores.
            excess = 2.0 * (decision.score - decision.threshold) + _BELOW
            lowered = [
                llr - excess if llr is not None and sample.modality in nobodies else llr
                for sample, llr in zip(samples, llrs, strict=True)
            ]
            decision = self._stated(samples, acquired, lowered, target, others, accept_partial=accept_partial)
        return replace(decision, concealed=frozenset(nobodies))

    def _stated(
        self,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        llrs: Sequence[float | None],
        target: float,
        others: Mapping[Modality, Status],
        *,
        accept_partial: bool,
    ) -> Decision:
        """The decision on one ratio a sample, or None, with the evidence of each."""
        evidence: dict[Modality, list[float]] = {}
        for sample, llr in zip(samples, llrs, strict=True):
            if llr is not None:
                evidence.setdefault(sample.modality, []).append(llr)
        stated = tuple(
            SampleEvidence(sample.modality, llr, Problem.of(result) if isinstance(result, SampleError) else None)
            for sample, llr, result in zip(samples, llrs, acquired, strict=True)
        )
        decision = self.decide(evidence, target, others=others, accept_partial=accept_partial)
        return replace(decision, samples=stated)

    def _llrs(
        self, people: Mapping[Modality, Person], samples: Sequence[Sample], acquired: Sequence[Acquired]
    ) -> list[float | None]:
        """One ratio a sample; None where it cannot be read or there is nobody to compare it with."""
        return [
            None
            if isinstance(result, SampleError) or sample.modality not in people
            else self._one_llr(people[sample.modality], sample.modality, result)
            for sample, result in zip(samples, acquired, strict=True)
        ]

    def _people(
        self, templates: Mapping[Modality, Template], sent: set[Modality], *, some: bool
    ) -> dict[Modality, Person]:
        """The claimed person, in every modality that was sent and is enrolled; with `some`, in one at least."""
        people: dict[Modality, Person] = {}
        short: list[str] = []
        for modality in sorted(sent):
            model, template = self._models[modality], templates.get(modality)
            count = 0 if template is None else template.count
            if template is not None:
                require_same_model(template, model.model_digest)
            if template is not None and count >= model.identity.minimum:
                people[modality] = model.identity.fit_template(template)
            else:
                short.append(f"{count} {modality.value} references, {model.identity.minimum} are needed")
        if some and not people:
            names = " or ".join(sorted(sent))
            raise TooFewReferences(
                f"the person has {'; and '.join(short)}", field="person", fix=f"enroll more {names} samples first"
            )
        return people

    def _could_be_sent(self, templates: Mapping[Modality, Template], sent: set[Modality]) -> list[Modality]:
        """The modalities that were not sent, though the person could be compared in them."""
        return [
            modality
            for modality, model in self._models.items()
            if modality not in sent
            and (template := templates.get(modality)) is not None
            and template.model_digest == model.model_digest
            and template.count >= model.identity.minimum
        ]

    def _one_llr(self, person: Person, modality: Modality, probe: NDArray[np.float32]) -> float:
        return float(self.llr(modality, person, probe[np.newaxis])[0])

    def _model(self, modality: Modality) -> Model:
        return model_of(self._models, modality)


def _require_one(samples: Sequence[Sample], acquired: Sequence[Acquired], comparable: Set[Modality]) -> None:
    """Raise the first SampleError unless a sample of a `comparable` modality can be read."""
    results = [result for sample, result in zip(samples, acquired, strict=True) if sample.modality in comparable]
    errors = [result for result in results if isinstance(result, SampleError)]
    if len(errors) == len(results):
        raise errors[0]
