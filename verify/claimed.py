"""The person of a claim: what is stored of them, and the models that read it.

A modality can be compared if the person's template holds enough references for the model that made it.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Self

import numpy as np

from encode.errors import SampleError, TooFewReferences
from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, SampleEncoder
from enroll.lineup import Lineup
from enroll.person import Person
from enroll.template import Template
from verify.decision import Compared, Status
from verify.evidence import usable
from verify.model import Model


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed person, for samples of some modalities.

    Attributes
    ----------
    sent : the modalities of the samples.
    templates : all that is stored of the person, by modality; empty if that is nothing.
    models : of each modality that was sent the model that its samples need, and of each that could be sent its maker.
    people : who the samples are compared with, in each modality that was sent and can be compared.
    """

    sent: frozenset[Modality]
    templates: Mapping[Modality, Template]
    models: Mapping[Modality, Model]
    people: Mapping[Modality, Person]

    @classmethod
    def of(cls, lineup: Lineup[Model], stored: Iterable[Template], sent: Set[Modality]) -> Self:
        """Raises ModelMismatch if a template of a modality that was sent was made by none of the models."""
        templates = {template.modality: template for template in stored}
        models = lineup.needed(templates, sent)
        people = {
            modality: model.identity.fit_template(templates[modality], gain=model.gain)
            for modality, model in models.items()
            if modality in templates and templates[modality].count >= model.identity.minimum
        }
        makers = {one: lineup.maker(template) for one, template in templates.items() if one not in sent}
        could_be_sent = {
            one: maker
            for one, maker in makers.items()
            if maker is not None and templates[one].count >= maker.identity.minimum
        }
        return cls(frozenset(sent), templates, {**models, **could_be_sent}, people)

    @property
    def encoders(self) -> dict[Modality, SampleEncoder]:
        """What reads the samples, by modality."""
        return {modality: self.models[modality].encoder for modality in sorted(self.sent)}

    def require_people(self) -> None:
        """Raise TooFewReferences unless the person can be compared in a modality that was sent."""
        if self.people:
            return
        short = [
            f"{self.templates[one].count if one in self.templates else 0} {one.value} references, "
            f"{self.models[one].identity.minimum} are needed"
            for one in sorted(self.sent)
        ]
        names = " or ".join(sorted(self.sent))
        raise TooFewReferences(
            f"the person has {'; and '.join(short)}", field="person", fix=f"enroll more {names} samples first"
        )

    def llrs(self, samples: Sequence[Sample], acquired: Sequence[Acquired]) -> list[float | None]:
        """One ratio a sample; None where it cannot be read or there is nobody to compare it with."""
        return [
            None
            if isinstance(result, SampleError) or sample.modality not in self.people
            else one_llr(self.models[sample.modality], self.people[sample.modality], result)
            for sample, result in zip(samples, acquired, strict=True)
        ]

    def compared(self, samples: Sequence[Sample], acquired: Sequence[Acquired]) -> tuple[Compared, ...]:
        """What there is to learn from, of each modality in which samples were compared."""
        rows = usable(samples, acquired)
        return tuple(Compared(self.templates[one], rows[one]) for one in rows if one in self.people)

    def others(self, used: Set[Modality]) -> dict[Modality, Status]:
        """What became of the modalities that a decision does not rest on."""
        others = {
            one: Status.UNUSABLE if one in self.people else Status.NOT_ENROLLED for one in sorted(self.sent - used)
        }
        return others | dict.fromkeys(self.models.keys() - self.sent, Status.NOT_SENT)


def one_llr(model: Model, person: Person, probe: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """The natural-log likelihood ratio of one probe, float32 (D,)."""
    return float(model.identity.llr(person, probe[np.newaxis])[0])


def modalities_used(samples: Sequence[Sample], llrs: Sequence[float | None]) -> set[Modality]:
    """The modalities with a ratio."""
    return {sample.modality for sample, llr in zip(samples, llrs, strict=True) if llr is not None}


def require_one(samples: Sequence[Sample], acquired: Sequence[Acquired], comparable: Set[Modality]) -> None:
    """Raise the first SampleError unless a sample of a `comparable` modality can be read."""
    results = [result for sample, result in zip(samples, acquired, strict=True) if sample.modality in comparable]
    errors = [result for result in results if isinstance(result, SampleError)]
    if len(errors) == len(results):
        raise errors[0]
