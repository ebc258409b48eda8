"""Which model answers for whom, while one model follows another.

    current     one a modality: everybody who is enrolled anew, and whoever has been migrated
    retiring    any number: people whose template it made, until they are migrated

A template lives in the embedding space of the model that made it and is never compared with an embedding of another:
the model is chosen by the digest in the template. Modalities are chosen one by one, so a person may be half migrated.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from encode.errors import ConfigError, ModelMismatch
from encode.sample import Modality
from enroll.acquisition import SampleEncoder
from enroll.template import Template


class EncodingModel(Protocol):
    """What a line-up asks of a model."""

    @property
    def encoder(self) -> SampleEncoder: ...


M = TypeVar("M", bound=EncodingModel)
"""A model of whatever kind the user of the line-up works with."""


class Lineup(Mapping[Modality, M]):
    """The current model of each modality, as a mapping, and those that are retiring.

    Raises
    ------
    ConfigError : a model retires from a modality without a current one, or is there twice.
    """

    def __init__(self, current: Mapping[Modality, M], retiring: Iterable[M] = ()) -> None:
        self._current = dict(current)
        self.retiring = tuple(retiring)
        digests = {model.encoder.model_digest for model in self._current.values()}
        for model in self.retiring:
            encoder = model.encoder
            if encoder.modality not in self._current:
                raise ConfigError(
                    f"a {encoder.modality.value} model retires, and no current one follows it",
                    field="retiring",
                    fix="name the bundle that follows in `models`, or name this one there",
                )
            if encoder.model_digest in digests:
                raise ConfigError(
                    f"the {encoder.modality.value} model {encoder.model_digest} is named twice",
                    field="retiring",
                    fix="name every bundle once, in `models` or in `retiring`",
                )
            digests.add(encoder.model_digest)

    @classmethod
    def of(cls, models: "Mapping[Modality, M] | Lineup[M]") -> "Lineup[M]":
        """`models` itself if it is a line-up, else one in which nobody retires."""
        return models if isinstance(models, Lineup) else cls(models)

    def __getitem__(self, modality: Modality) -> M:
        return self._current[modality]

    def __iter__(self) -> Iterator[Modality]:
        return iter(self._current)

    def __len__(self) -> int:
        return len(self._current)

    def all_of(self, modality: Modality) -> tuple[M, ...]:
        """Every model of a modality that has a current one, that one first."""
        return (self._current[modality], *(one for one in self.retiring if one.encoder.modality is modality))

    def maker(self, template: Template) -> M | None:
        """The model that made a template, or None if it is none of these."""
        if template.modality not in self._current:
            return None
        made = (one for one in self.all_of(template.modality) if one.encoder.model_digest == template.model_digest)
        return next(made, None)

    def needed(self, templates: Mapping[Modality, Template], modalities: Iterable[Modality]) -> dict[Modality, M]:
        """The model for each of `modalities`: the maker of the person's template, or the current one without any.

        Raises
        ------
        ModelMismatch : none of these models made a template.
        """
        return {one: self._for(templates.get(one), one) for one in sorted(modalities)}

    def _for(self, template: Template | None, modality: Modality) -> M:
        if template is None:
            return self._current[modality]
        if (maker := self.maker(template)) is None:
            raise self._mismatch(template)
        return maker

    def _mismatch(self, template: Template) -> ModelMismatch:
        current, *retiring = (one.encoder.model_digest for one in self.all_of(template.modality))
        also = f", retiring {', '.join(retiring)}" if retiring else ""
        return ModelMismatch(
            f"the person's {template.modality.value} template was made by model {template.model_digest}, "
            f"the loaded one is {current}{also}",
            field="person",
            fix="load the bundle of the template's model with --retiring, migrate the person with "
            "`countersign migrate`, or delete the person and enroll again",
        )
