"""Verifying a claim: samples and a claimed person → likelihood ratio → decision.

    LLR = log p(x | person) − log p(x | everyone else)
    score = Σ over modalities used ( mean LLR of its samples )
    accept  iff  score >= threshold(target FAR, modalities used), and all that was sent is used or the caller takes part

A modality is used if the person is enrolled in it and at least one of its samples can be read. Every other one that was
sent is stated with the reason, and keeps the claim from being accepted unless the caller says otherwise: somebody who
covers the camera must not get an easier test than somebody who looks into it.

While a model retires, each modality is read by the model that made the person's template, and decided at its policy.

A plain object without a network or a process: the gRPC service and the evaluator drive this very code. For callers who
may not know who is enrolled, :mod:`verify.access.concealment` stands before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, acquire, acquire_all, no_checkpoint, require_modalities
from enroll.lineup import Lineup
from enroll.person import Person
from enroll.stores.glance import Stored
from enroll.stores.store import TemplateStore, person_unknown
from verify.byte_cache import ByteCache
from verify.claimed import Claimed, modalities_used, require_one
from verify.decision import Compared, Decision, ModalityEvidence, SampleEvidence, Status
from verify.evidence import by_modality, shares, stated
from verify.model import Model, model_of
from verify.policy_choice import PolicyChoice

CACHE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    """Somebody as stored, and as made ready for the claim before this one."""

    stored: Stored
    claimed: Claimed


class Verifier:
    """Composes models with a template store; safe to use from several threads at once.

    `cache_bytes` of people are kept as fitted for their next claim.

    Attributes
    ----------
    models : the current one of each modality, and those that retire.
    policies : those the models bring, and those fused of them.
    """

    def __init__(
        self, models: Mapping[Modality, Model], store: TemplateStore, *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self.models: Lineup[Model] = Lineup.of(models)
        self._store = store
        self._kept: ByteCache[_Kept] = ByteCache(cache_bytes)
        self.policies = PolicyChoice(models)

    def embed(self, modality: Modality, samples: Sequence[Sample]) -> list[Acquired]:
        """One item a sample, in order: its embedding, float32 (D,), or the SampleError that says why there is none.

        This and the next two are of the modality's current model.
        """
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
        models: Mapping[Modality, Model] | None = None,
        samples: tuple[SampleEvidence, ...] = (),
        compared: tuple[Compared, ...] = (),
    ) -> Decision:
        """The decision on LLRs, at least one a modality.

        Parameters
        ----------
        evidence : what the decision rests on; the threshold is that of exactly these modalities.
        target_far : a fraction of the policy's table; None takes the policy's default.
        others : modalities that the decision does not rest on, and why.
        accept_partial : whether to accept though a modality that was sent is among the others.
        models : what computed the ratios, by modality, where that is not the current models.
        samples, compared : of the decision.

        Raises
        ------
        TargetFarUnavailable : the policy holds no threshold for it, or no policy covers these modalities together.
        """
        by = {one: model_of(models or self.models, one) for one in sorted({*evidence, *(others or {})})}
        policy = self.policies.of_models([by[modality] for modality in sorted(evidence)])
        row = policy.row_for(target_far)
        means = shares(evidence)
        used = [ModalityEvidence(modality, mean, by[modality].model_digest) for modality, mean in means.items()]
        unused = [
            ModalityEvidence(modality, None, by[modality].model_digest, status)
            for modality, status in (others or {}).items()
        ]
        return Decision(
            score=sum(means.values()),
            threshold=row.threshold,
            target_far=row.target_far,
            beyond_evidence=policy.beyond_evidence(row),
            policy_id=policy.id,
            modalities=tuple(sorted([*used, *unused], key=lambda part: part.modality)),
            samples=samples,
            accept_partial=accept_partial,
            compared=compared,
        )

    def claimed(self, collection: str, person: str, samples: Sequence[Sample], *, kept: bool = True) -> Claimed:
        """The person as far as stored, for `samples`.

        `kept` False reads and fits the person anew, and keeps nothing: for callers who must not find out by the time
        that an answer takes who is enrolled, or whom others ask about.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        ModelMismatch : the person's template was made by none of the loaded models.
        """
        require_modalities(self.models, samples)
        key, sent = (collection, person), frozenset(one.modality for one in samples)
        if not kept:
            return Claimed.of(self.models, self._store.get(collection, person), sent)
        before = self._kept.get(key)
        stored = self._store.read(collection, person, None if before is None else before.stored)
        if before is not None and stored is before.stored and before.claimed.sent == sent:
            return before.claimed
        claimed = Claimed.of(self.models, stored.templates, sent)
        self._kept.put(key, _Kept(stored, claimed))
        return claimed

    def verify(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        accept_partial: bool = False,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Decision:
        """Decide whether `samples`, at least one, are of the person.

        Samples that cannot be used, and modalities without one that can, are stated in the decision and left out of it.
        `checkpoint` may raise to abandon the work before its next step.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        ModelMismatch : the person's template was made by none of the loaded models.
        TargetFarUnavailable : as :meth:`decide`, for all modalities sent; found before any work is done.
        PersonUnknown : nobody of that name is enrolled.
        TooFewReferences : the person has too few references in every modality sent.
        SampleError : no sample can be compared; this is the first one's error.
        """
        claimed = self.claimed(collection, person, samples)
        target = self.target_of(claimed.models, samples, target_far)
        if not claimed.templates:
            raise person_unknown()
        claimed.require_people()
        acquired = acquire_all(claimed.encoders, samples, checkpoint=checkpoint)
        require_one(samples, acquired, claimed.people.keys())
        llrs = claimed.llrs(samples, acquired)
        return self.state(
            samples,
            acquired,
            llrs,
            target,
            others=claimed.others(modalities_used(samples, llrs)),
            accept_partial=accept_partial,
            models=claimed.models,
            compared=claimed.compared(samples, acquired),
        )

    def target_of(self, models: Mapping[Modality, Model], samples: Sequence[Sample], target_far: float | None) -> float:
        """The target FAR of a call that carries `samples`, read by `models`. Raises TargetFarUnavailable."""
        # The default may differ from policy to policy: it is that of all modalities sent, whichever are used.
        sent = sorted({sample.modality for sample in samples})
        return self.policies.of_models([models[modality] for modality in sent]).row_for(target_far).target_far

    def state(
        self,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        llrs: Sequence[float | None],
        target: float,
        *,
        others: Mapping[Modality, Status],
        accept_partial: bool,
        models: Mapping[Modality, Model] | None = None,
        compared: tuple[Compared, ...] = (),
    ) -> Decision:
        """The decision on one ratio a sample, at least one not None, with the evidence of each; see :meth:`decide`."""
        return self.decide(
            by_modality(samples, llrs),
            target,
            others=others,
            accept_partial=accept_partial,
            models=models,
            samples=stated(samples, acquired, llrs),
            compared=compared,
        )

    def _model(self, modality: Modality) -> Model:
        return model_of(self.models, modality)
