"""How embeddings become references of a template, as the model that made them keeps references."""

from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from enroll.acquisition import SampleEncoder
from enroll.template import Template


class Capacities(Protocol):
    """How many references a model keeps and needs; :class:`enroll.identity.IdentityModel` says so of itself."""

    @property
    def anchors(self) -> int: ...

    @property
    def recent(self) -> int: ...

    @property
    def minimum(self) -> int: ...

    @property
    def limit(self) -> int | None: ...

    @property
    def vector(self) -> int: ...


class EnrollmentModel(Protocol):
    """An encoder with the capacities of its identity model."""

    @property
    def encoder(self) -> SampleEncoder: ...

    @property
    def identity(self) -> Capacities: ...


def empty_template(model: EnrollmentModel, collection: str, person: str, *, now: datetime) -> Template:
    """A template that `model` is going to fill."""
    capacities = model.identity
    return Template.empty(
        collection,
        person,
        model.encoder.modality,
        model.encoder.model_digest,
        size=model.encoder.embedding_size if capacities.limit is None else capacities.vector,
        now=now,
        compact=capacities.limit is not None,
    )


def room(template: Template, capacities: Capacities, wanted: int) -> int:
    """How many of `wanted` references may enter a template."""
    if capacities.limit is not None:
        return min(wanted, max(0, capacities.limit - template.count))
    # A model without a ring keeps its anchors only: what finds no place there must not be called enrolled.
    return wanted if capacities.recent else min(wanted, max(0, capacities.anchors - len(template.anchors)))


def with_references(template: Template, new: NDArray[np.float32], capacities: Capacities, *, now: datetime) -> Template:
    """The template with rows `new` (n, D) enrolled; the moments are those of their embeddings alone."""
    if capacities.limit is not None:
        return template.with_moments_of(new[:, : capacities.vector], now=now)
    return template.with_references(
        new, anchors_capacity=capacities.anchors, recent_capacity=capacities.recent, now=now
    )
