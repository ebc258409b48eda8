"""What a person's rows hold, sealed with the person's data key.

    state    {modality: [template_id, version, oldest version kept, [ids of kept samples, oldest first]]}, bound to
             collection, person and revision; of a template without either, [template_id, version]
    payload  a template's stored form, bound to collection, person, modality, model, template id, version, and the
             reason it was written for, if one is known; or a kept sample, bound to its owner, its id and its time

A row of another person or another version, a flipped bit, a modality, a version or a sample that was taken away or put
back: none of them opens with the state, and each is an error of its own words, never a template.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.keys.envelope import Cipher, NotSealedSo, Part
from enroll.template import Template


@dataclass(frozen=True, slots=True)
class Held:
    """What a person's state says of one modality.

    Attributes
    ----------
    template_id, version : of the template in force.
    oldest : the earliest version kept; those from there to `version` - 1 are. `version` where none is.
    samples : ids of the kept samples, oldest first.
    """

    template_id: str
    version: int
    oldest: int
    samples: tuple[str, ...] = ()

    @classmethod
    def only(cls, template_id: str, version: int) -> "Held":
        """A template without earlier versions and samples."""
        return cls(template_id, version, version)

    @property
    def template(self) -> tuple[str, int]:
        """Id and version of the template in force."""
        return self.template_id, self.version


State = dict[Modality, Held]
"""What is stored of a person."""


class TemplateRow(Protocol):
    """A row of the tables `templates` and `template_versions`."""

    collection: str
    person: str
    modality: str
    template_id: str
    version: int
    model_digest: str
    reason: str
    payload: bytes


def seal_state(cipher: Cipher, collection: str, person: str, revision: int, state: Mapping[Modality, Held]) -> bytes:
    """The state of a person at `revision`, sealed."""
    told = json.dumps({modality.value: _told(held) for modality, held in state.items()}, sort_keys=True)
    return cipher.seal(told.encode(), "person", collection, person, revision)


def open_state(cipher: Cipher, collection: str, person: str, revision: int, state: bytes) -> State:
    """What is stored of the person, by modality. Raises StoreCorrupt."""
    try:
        told = json.loads(cipher.open(state, "person", collection, person, revision))
    except NotSealedSo as error:
        raise corrupt("a person's row was changed, or is another person's") from error
    return {Modality(modality): _held(*held) for modality, held in told.items()}


def seal_template(cipher: Cipher, template: Template, reason: str = "") -> bytes:
    """The `payload` of a template that was written for `reason`."""
    return cipher.seal(
        template.to_bytes(),
        "template",
        template.collection,
        template.person,
        template.modality.value,
        template.model_digest,
        template.template_id,
        template.version,
        *_if_known(reason),
    )


def open_template(cipher: Cipher, row: TemplateRow) -> Template:
    """The template of a row. Raises StoreCorrupt."""
    parts = (row.collection, row.person, row.modality, row.model_digest, row.template_id, row.version)
    try:
        plain = cipher.open(row.payload, "template", *parts, *_if_known(row.reason))
    except NotSealedSo as error:
        raise corrupt("a template's row was changed, or lies under another key than it was made for") from error
    return Template.from_bytes(plain)


def seal_sample(
    cipher: Cipher, plain: bytes, owner: tuple[str, str], modality: str, sample_id: str, at: datetime
) -> bytes:
    """A kept sample of `owner`, who is collection and person; `at` in UTC."""
    return cipher.seal(plain, "sample", *owner, modality, sample_id, at.isoformat())


def open_sample(
    cipher: Cipher, sealed: bytes, owner: tuple[str, str], modality: str, sample_id: str, at: datetime
) -> bytes:
    """What :func:`seal_sample` sealed. Raises StoreCorrupt."""
    try:
        return cipher.open(sealed, "sample", *owner, modality, sample_id, at.isoformat())
    except NotSealedSo as error:
        raise corrupt("a kept sample was changed, or is another person's") from error


def open_person(cipher: Cipher, rows: Sequence[Any]) -> tuple[Template, ...]:
    """The templates of a person's rows, each a row of `people` joined with one of `templates`, or with none.

    Raises StoreCorrupt unless they are exactly those of the state.
    """
    first = rows[0]
    state = open_state(cipher, first.collection, first.person, first.revision, first.state)
    found = {row.modality: (row.template_id, row.version) for row in rows if row.modality is not None}
    if found != {modality.value: held.template for modality, held in state.items()}:
        raise corrupt("a person's templates are not those that were stored last")
    return tuple(open_template(cipher, row) for row in rows if row.modality is not None)


def corrupt(what: str) -> StoreCorrupt:
    """The error for stored rows that do not agree with their seals."""
    return StoreCorrupt(what, fix="run `countersign db reconcile` if the data was put back, else restore a backup")


def _told(held: Held) -> list[object]:
    if held.oldest == held.version and not held.samples:
        return [held.template_id, held.version]
    return [held.template_id, held.version, held.oldest, list(held.samples)]


def _held(template_id: str, version: int, oldest: int | None = None, samples: Sequence[str] = ()) -> Held:
    return Held(template_id, version, version if oldest is None else oldest, tuple(samples))


def _if_known(reason: str) -> tuple[Part, ...]:
    # Templates from before reasons were kept were sealed without one.
    return (reason,) if reason else ()
