"""What a person's rows hold, sealed with the person's data key.

    state    the person's templates as {modality: [template_id, version]}, bound to collection, person and revision
    payload  a template's stored form, bound to collection, person, modality, model, template id and version

A row of another person or another version, a flipped bit, a modality that was taken away or put back: none of them
opens with the state, and each is an error of its own words, never a template.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.keys.envelope import Cipher, NotSealedSo
from enroll.template import Template

Versions = dict[Modality, tuple[str, int]]
"""Modality → template_id and version."""


class TemplateRow(Protocol):
    """A row of the table `templates`."""

    collection: str
    person: str
    modality: str
    template_id: str
    version: int
    model_digest: str
    payload: bytes


def seal_state(
    cipher: Cipher, collection: str, person: str, revision: int, versions: Mapping[Modality, object]
) -> bytes:
    """The state of a person at `revision`, sealed."""
    told = json.dumps({modality.value: held for modality, held in versions.items()}, sort_keys=True)
    return cipher.seal(told.encode(), "person", collection, person, revision)


def open_state(cipher: Cipher, collection: str, person: str, revision: int, state: bytes) -> Versions:
    """The person's templates by modality. Raises StoreCorrupt."""
    try:
        told = json.loads(cipher.open(state, "person", collection, person, revision))
    except NotSealedSo as error:
        raise corrupt("a person's row was changed, or is another person's") from error
    return {Modality(modality): (template_id, version) for modality, (template_id, version) in told.items()}


def seal_template(cipher: Cipher, template: Template) -> bytes:
    """The `payload` of a template."""
    return cipher.seal(
        template.to_bytes(),
        "template",
        template.collection,
        template.person,
        template.modality.value,
        template.model_digest,
        template.template_id,
        template.version,
    )


def open_template(cipher: Cipher, row: TemplateRow) -> Template:
    """The template of a row. Raises StoreCorrupt."""
    parts = (row.collection, row.person, row.modality, row.model_digest, row.template_id, row.version)
    try:
        plain = cipher.open(row.payload, "template", *parts)
    except NotSealedSo as error:
        raise corrupt("a template's row was changed, or lies under another key than it was made for") from error
    return Template.from_bytes(plain)


def open_person(cipher: Cipher, rows: Sequence[Any]) -> tuple[Template, ...]:
    """The templates of a person's rows, each a row of `people` joined with one of `templates`, or with none.

    Raises StoreCorrupt unless they are exactly those of the state.
    """
    first = rows[0]
    versions = open_state(cipher, first.collection, first.person, first.revision, first.state)
    found = {row.modality: (row.template_id, row.version) for row in rows if row.modality is not None}
    if found != {modality.value: held for modality, held in versions.items()}:
        raise corrupt("a person's templates are not those that were stored last")
    return tuple(open_template(cipher, row) for row in rows if row.modality is not None)


def corrupt(what: str) -> StoreCorrupt:
    """The error for stored rows that do not agree with their seals."""
    return StoreCorrupt(what, fix="restore a backup with `countersign db restore`, or delete the person's rows")
