"""The form of an export: JSON lines, a head, one line a person, and a manifest that says the file is whole.

    {"format": "countersign export", "version": 1, "store_id": …, "with_keys": …, "made_at": …}
    {"collection": …, "person": …, "key_ref": …, "revision": …, "state": …, "created_at": …, "templates": […], "key": …}
    {"people": …, "templates": …, "sha256": …}

`state` and each template's `payload` are sealed as they are stored, in base64; `key` is the wrapped data key, only in
an export that was asked for with keys. The manifest's digest is that of every byte before its own line. Ids are in the
clear.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encode.errors import FieldInvalid


class _Line(BaseModel):
    # URL-safe base64 is what pydantic writes and reads.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class ExportHead(_Line):
    """What the file is, and which key store opens it."""

    format: Literal["countersign export"] = "countersign export"
    version: Literal[1] = 1
    store_id: str
    with_keys: bool
    made_at: datetime


class ExportedTemplate(_Line):
    """A row of the table `templates`, without its owner."""

    modality: str = Field(max_length=16)
    template_id: str = Field(max_length=32)
    version: int = Field(ge=1)
    model_digest: str = Field(max_length=64)
    payload: bytes


class WrappedKey(_Line):
    """A wrapped data key, and the id of the key that wraps it."""

    key_id: str
    wrapped: bytes


class ExportedPerson(_Line):
    """A row of the table `people`, with the person's templates."""

    collection: str = Field(min_length=1, max_length=128)
    person: str = Field(min_length=1, max_length=128)
    key_ref: str = Field(max_length=32)
    revision: int = Field(ge=1)
    state: bytes
    created_at: datetime
    templates: tuple[ExportedTemplate, ...]
    key: WrappedKey | None = None


class Manifest(_Line):
    """How much the file holds, and the SHA-256 (hex) of it all."""

    people: int
    templates: int
    sha256: str


_Kind = TypeVar("_Kind", bound=_Line)


class ExportWriter:
    """Writes an export to a binary file, from its head to its manifest."""

    def __init__(self, file: BinaryIO, head: ExportHead) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._people = self._templates = 0
        self._write(head)

    def add(self, person: ExportedPerson) -> None:
        """Write one person."""
        self._write(person)
        self._people += 1
        self._templates += len(person.templates)

    def finish(self) -> Manifest:
        """Write the manifest."""
        manifest = Manifest(people=self._people, templates=self._templates, sha256=self._digest.hexdigest())
        self._write(manifest)
        return manifest

    def _write(self, line: _Line) -> None:
        written = line.model_dump_json(exclude_none=True).encode() + b"\n"
        self._digest.update(written)
        self._file.write(written)


def check_export(path: Path) -> tuple[ExportHead, Manifest]:
    """Head and manifest of a file that is whole. Raises FieldInvalid, OSError."""
    digest = hashlib.sha256()
    people = templates = 0
    with path.open("rb") as file:
        first = file.readline()
        head = _parse(ExportHead, first, 1)
        digest.update(first)
        last = b""
        for number, line in enumerate(file, 2):
            if last:
                person = _parse(ExportedPerson, last, number - 1)
                people, templates = people + 1, templates + len(person.templates)
                digest.update(last)
            last = line
    if not last.startswith(b'{"people":'):
        raise _not_whole("it has no manifest at its end: it was cut off")
    manifest = _parse(Manifest, last, people + 2)
    if manifest != Manifest(people=people, templates=templates, sha256=digest.hexdigest()):
        raise _not_whole("its content is not what its manifest says")
    return head, manifest


def read_people(path: Path) -> Iterator[ExportedPerson]:
    """The people of a file that was checked. Raises FieldInvalid, OSError."""
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            if not line.startswith(b'{"people":'):
                yield _parse(ExportedPerson, line, number)


def _parse(kind: type[_Kind], line: bytes, number: int) -> _Kind:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        # Not chained: the line holds ids.
        raise _not_whole(f"line {number} is not one of an export of version 1") from None


def _not_whole(why: str) -> FieldInvalid:
    return FieldInvalid(f"the export cannot be used: {why}", field="file", fix="take another copy of the file")
