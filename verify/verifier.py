"""Verifying a claim: samples and a claimed person → likelihood ratio → decision.

    LLR = log p(x | person) − log p(x | everyone else)
    accept  iff  Σ over modalities ( mean LLR of its samples ) >= threshold(target FAR)

A plain object without a network or a process: the gRPC service and the evaluator drive this very code.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError, TargetFarUnavailable, TooFewReferences, WrongModality
from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, Problem, acquire, acquire_all, no_checkpoint, require_modalities
from enroll.enroller import require_same_model
from enroll.gaussian import Gaussian
from enroll.store import TemplateStore, require_person
from verify.decision import Decision, ModalityEvidence, SampleEvidence
from verify.model import Model
from verify.policy import Policy


class Verifier:
    """Composes models (one a modality) with a template store; safe to use from several threads at once."""

    def __init__(self, models: Mapping[Modality, Model], store: TemplateStore) -> None:
        self._models = models
        self._store = store

    @property
    def models(self) -> Mapping[Modality, Model]:
        return self._models

    def embed(self, modality: Modality, samples: Sequence[Sample]) -> list[Acquired]:
        """One item a sample, in order: its embedding, float32 (D,), or the SampleError that says why there is none."""
        return acquire(self._model(modality).encoder, samples)

    def fit(self, modality: Modality, references: NDArray[np.float32]) -> Gaussian:
        """The density of a person with these reference embeddings, float32 (n, D)."""
        return self._model(modality).identity.fit(references)

    def llr(self, modality: Modality, person: Gaussian, probes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated natural-log likelihood ratios of probe embeddings float32 (N, D): float64 (N,)."""
        return self._model(modality).identity.llr(person, probes)

    def decide(self, evidence: Mapping[Modality, Sequence[float]], target_far: float | None = None) -> Decision:
        """The decision on LLRs, at least one a modality.

        `target_far` is a fraction of the policy's table; None takes the policy's default.

        Raises
        ------
        TargetFarUnavailable : the policy holds no threshold for it, or no policy covers these modalities together.
        """
        policy = self._policy(evidence)
        row = policy.row_for(target_far)
        parts = tuple(
            ModalityEvidence(modality, float(np.mean(llrs)), self._model(modality).model_digest)
            for modality, llrs in sorted(evidence.items())
        )
        return Decision(
            score=sum(part.llr for part in parts),
            threshold=row.threshold,
            target_far=row.target_far,
            beyond_evidence=policy.beyond_evidence(row),
            policy_id=policy.id,
            modalities=parts,
        )

    def verify(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Decision:
        """Decide whether `samples`, at least one, are of the person.

        Samples that cannot be used are stated in the decision and left out of it. `checkpoint` may raise to abandon
        the work before its next step.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        TargetFarUnavailable : as :meth:`decide`; found before any work is done.
        PersonUnknown : nobody of that name is enrolled.
        ModelMismatch : the person's template was made by another model.
        TooFewReferences : the person has too few references in a modality.
        SampleError : no sample can be used; this is the first one's error.
        """
        require_modalities(self._models, samples)
        wanted = {sample.modality for sample in samples}
        self._policy(wanted).row_for(target_far)
        people = self._people(collection, person, wanted)
        acquired = acquire_all({m: self._models[m].encoder for m in wanted}, samples, checkpoint=checkpoint)
        llrs = [
            None if isinstance(result, SampleError) else self._one_llr(people[sample.modality], sample.modality, result)
            for sample, result in zip(samples, acquired, strict=True)
        ]
        evidence: dict[Modality, list[float]] = {}
        for sample, llr in zip(samples, llrs, strict=True):
            if llr is not None:
                evidence.setdefault(sample.modality, []).append(llr)
        if not evidence:
            raise next(result for result in acquired if isinstance(result, SampleError))
        stated = tuple(
            SampleEvidence(sample.modality, llr, Problem.of(result) if isinstance(result, SampleError) else None)
            for sample, llr, result in zip(samples, llrs, acquired, strict=True)
        )
        return replace(self.decide(evidence, target_far), samples=stated)

    def _people(self, collection: str, person: str, wanted: set[Modality]) -> dict[Modality, Gaussian]:
        """The claimed person's density in every wanted modality."""
        templates = {template.modality: template for template in require_person(self._store, collection, person)}
        people: dict[Modality, Gaussian] = {}
        for modality in sorted(wanted):
            model, template = self._models[modality], templates.get(modality)
            if template is not None:
                require_same_model(template, model.model_digest)
            count = 0 if template is None else len(template.references)
            if template is None or count < model.identity.minimum:
                raise TooFewReferences(
                    f"the person has {count} {modality.value} references, {model.identity.minimum} are needed",
                    field="person",
                    fix=f"enroll more {modality.value} samples first",
                )
            people[modality] = model.identity.fit(template.references)
        return people

    def _one_llr(self, person: Gaussian, modality: Modality, probe: NDArray[np.float32]) -> float:
        return float(self.llr(modality, person, probe[np.newaxis])[0])

    def _model(self, modality: Modality) -> Model:
        if modality not in self._models:
            raise WrongModality(
                f"no loaded model reads {modality.value} samples", field="modality", fix="load a model that does"
            )
        return self._models[modality]

    def _policy(self, modalities: Collection[Modality]) -> Policy:
        """The policy that was measured for exactly these modalities."""
        names = " and ".join(sorted(modalities))
        policy = self._model(next(iter(modalities))).policy if len(modalities) == 1 else None
        if policy is None:
            raise TargetFarUnavailable(
                f"no policy was measured for {names}{' together' if len(modalities) > 1 else ''}",
                field="samples",
                fix="send samples of one modality whose model has a policy",
            )
        return policy
