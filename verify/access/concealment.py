"""Verification for callers who may not know who is enrolled: all rejections look alike.

Stand-ins take the place of whoever is not enrolled, so that every modality that was sent looks enrolled and none that
was not sent is named. While a model retires, an answer must not tell either whom it still answers for: a rejection is
told as the current models would tell it of somebody who is not enrolled, whoever decided it. An acceptance tells the
truth: who is accepted exists.

The work is the same for everybody too: nobody is kept in memory for a next claim, as some would be and others not; and
with retiring models loaded, each sample is read by every model of its modality.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError
from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, acquire_some, no_checkpoint
from enroll.person import Person
from enroll.template import Template
from verify.claimed import Claimed, modalities_used, one_llr, require_one
from verify.decision import Decision, ModalityEvidence, Status, Truth
from verify.model import Model
from verify.verifier import Verifier

_BELOW = 1e-3
"""Nats by which a concealed claim stays below its threshold at least."""


class StandIns(Protocol):
    """What is compared with where nobody is enrolled; :class:`verify.access.decoy.Decoys` is one."""

    def people(
        self, collection: str, person: str, modalities: Iterable[Modality]
    ) -> Mapping[Modality, tuple[Template, Person]]:
        """Somebody to compare with in each of the modalities, for the work of it."""

    def llr(self, collection: str, person: str, modality: Modality, probe: NDArray[np.float32]) -> float:
        """The ratio to tell for a probe (D,) of the current model."""


class Concealment:
    """A verifier whose rejections do not tell who is enrolled, and in what. Safe to use from several threads."""

    def __init__(self, verifier: Verifier, stand_ins: StandIns) -> None:
        self._verifier = verifier
        self._models = verifier.models
        self._stand_ins = stand_ins

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
        """As :meth:`verify.verifier.Verifier.verify`, which raises PersonUnknown and TooFewReferences; this does not.

        Raises
        ------
        TargetFarUnavailable : also if a retiring model lacks the target FAR: for whom it answers is not told.
        """
        verifier, current = self._verifier, self._models
        claimed = verifier.claimed(collection, person, samples, kept=False)
        nobodies = claimed.sent - claimed.people.keys()
        in_their_place = self._stand_ins.people(collection, person, nobodies)
        stood_in = replace(
            claimed,
            templates={one: template for one, (template, _) in in_their_place.items()},
            people={one: person for one, (_, person) in in_their_place.items()},
        )
        self._require_everywhere(claimed.sent, samples, target_far)
        readings = {
            model.model_digest: acquire_some(modality, model.encoder, samples, checkpoint=checkpoint)
            for modality in sorted(claimed.sent)
            for model in current.all_of(modality)
        }
        acquired = _chosen(readings, current, samples)
        require_one(samples, acquired, claimed.sent)

        truth = self._decided(claimed, samples, _chosen(readings, claimed.models, samples), target_far, accept_partial)
        if truth is not None and truth.accepted:
            return truth
        if truth is None:  # for the work of it
            self._decided(stood_in, samples, acquired, target_far, accept_partial)
        retiring = {one for one in claimed.sent if claimed.models[one] is not current[one]}
        told: list[float | None] = []
        for index, (sample, result) in enumerate(zip(samples, acquired, strict=True)):
            modality = sample.modality
            if isinstance(result, SampleError):
                told.append(None)
                continue
            # Computed for everybody, whichever is told: for the work of it.
            made_up = self._stand_ins.llr(collection, person, modality, result)
            if truth is not None and modality in nobodies:
                one_llr(current[modality], stood_in.people[modality], result)
            if modality in nobodies | retiring:
                told.append(made_up)
            else:
                told.append(None if truth is None else truth.samples[index].llr)
        decision = self._rejected(
            samples,
            acquired,
            told,
            verifier.target_of(current, samples, target_far),
            nobodies | retiring,
            accept_partial=accept_partial,
        )
        compared = () if truth is None else truth.compared
        return replace(decision, truth=_truth(claimed, decision, truth), compared=compared)

    def _require_everywhere(self, sent: Set[Modality], samples: Sequence[Sample], target_far: float | None) -> None:
        """Raise TargetFarUnavailable unless a person of any of the models could be decided at this target FAR."""
        for models in product(*(self._models.all_of(modality) for modality in sorted(sent))):
            self._verifier.target_of({model.modality: model for model in models}, samples, target_far)

    def _decided(
        self,
        claimed: Claimed,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        target_far: float | None,
        accept_partial: bool,
    ) -> Decision | None:
        """The true decision, or None if there is nobody to compare with or nothing to compare."""
        llrs = claimed.llrs(samples, acquired)
        used = modalities_used(samples, llrs)
        if not used:
            return None
        return self._verifier.state(
            samples,
            acquired,
            llrs,
            self._verifier.target_of(claimed.models, samples, target_far),
            others=claimed.others(used),
            accept_partial=accept_partial,
            models=claimed.models,
            compared=claimed.compared(samples, acquired),
        )

    def _rejected(
        self,
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
        llrs: Sequence[float | None],
        target: float,
        made_up: Set[Modality],
        *,
        accept_partial: bool,
    ) -> Decision:
        """The decision on these ratios, those `made_up` lowered where they would be enough together."""
        used = modalities_used(samples, llrs)
        others = {sample.modality: Status.UNUSABLE for sample in samples if sample.modality not in used}
        state = partial(
            self._verifier.state, samples, acquired, target=target, others=others, accept_partial=accept_partial
        )
        decision = state(llrs=llrs)
        if not (made_up & used and decision.score >= decision.threshold):
            return decision
        # Mirrored at the threshold, so that like probes still get like scores.
        excess = 2.0 * (decision.score - decision.threshold) + _BELOW
        lowered = [
            llr - excess if llr is not None and sample.modality in made_up else llr
            for sample, llr in zip(samples, llrs, strict=True)
        ]
        return state(llrs=lowered)


def _chosen(
    readings: Mapping[str, Mapping[int, Acquired]], models: Mapping[Modality, Model], samples: Sequence[Sample]
) -> list[Acquired]:
    """What the model of each sample's modality read, in order; `readings` are by the model's digest."""
    return [readings[models[sample.modality].model_digest][index] for index, sample in enumerate(samples)]


def _truth(claimed: Claimed, told: Decision, decided: Decision | None) -> Truth:
    if decided is not None:
        return Truth(decided.modalities, decided.policy_id, decided.target_far)
    missing = tuple(
        ModalityEvidence(modality, None, claimed.models[modality].model_digest, status)
        for modality, status in claimed.others(set()).items()
    )
    return Truth(missing, told.policy_id, told.target_far)
