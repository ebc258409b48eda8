"""The form of an export: JSON lines, a head, what there is, and a manifest that says the file is whole.

    {"format": "countersign export", "version": 2, "store_id": …, "with_keys": …, "made_at": …}
    {"settings_of": …, "settings": {…}}                             a line a collection that has settings
    {"collection": …, "person": …, "key_ref": …, "revision": …, "state": …, "created_at": …, "templates": […], "key": …}
    {"version_of": …, "template_id": …, "version": …, …}            earlier versions of the person above, by modality
    {"sample_of": …, "sample_id": …, "at": …, "payload": …}         and kept samples
    {"people": …, "templates": …, "versions": …, "samples": …, "sha256": …}

`state` and each `payload` are sealed as they are stored, in base64; `key` is the wrapped data key, only in an export
that was asked for with keys. The manifest's digest is that of every byte before its own line. Ids and settings are in
the clear. Version 1 had people and templates alone.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encode.errors import FieldInvalid


class _Line(BaseModel):
    # URL-safe base64 is what pydantic writes and reads.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class ExportHead(_Line):
    """What the file is, and which key store opens it."""

    format: Literal["countersign export"] = "countersign export"
    version: Literal[1, 2] = 2
    store_id: str
    with_keys: bool
    made_at: datetime


class ExportedTemplate(_Line):
    """A row of the table `templates`, without its owner."""

    modality: str = Field(max_length=16)
    template_id: str = Field(max_length=32)
    version: int = Field(ge=1)
    model_digest: str = Field(max_length=64)
    reason: str = Field(default="", max_length=32)
    payload: bytes


class ExportedVersion(_Line):
    """A row of the table `template_versions`, without its owner, who is the person above it."""

    version_of: str = Field(max_length=16)
    template_id: str = Field(max_length=32)
    version: int = Field(ge=1)
    model_digest: str = Field(max_length=64)
    reason: str = Field(max_length=32)
    payload: bytes


class ExportedSample(_Line):
    """A row of the table `samples`, without its owner, who is the person above it."""

    sample_of: str = Field(max_length=16)
    sample_id: str = Field(max_length=32)
    at: datetime
    payload: bytes


class ExportedSettings(_Line):
    """The settings of a collection, as `enroll.stores.collection` writes them."""

    settings_of: str = Field(min_length=1, max_length=128)
    settings: dict[str, Any]


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

    people: int = 0
    templates: int = 0
    versions: int = 0
    samples: int = 0
    sha256: str = ""

    def with_line(self, line: _Line) -> "Manifest":
        """The counts with one more line."""
        if isinstance(line, ExportedPerson):
            more = {"people": self.people + 1, "templates": self.templates + len(line.templates)}
            return self.model_copy(update=more)
        if isinstance(line, ExportedVersion):
            return self.model_copy(update={"versions": self.versions + 1})
        return self.model_copy(update={"samples": self.samples + isinstance(line, ExportedSample)})


Extra = ExportedVersion | ExportedSample
"""What follows a person."""

_Kind = TypeVar("_Kind", bound=_Line)
_KINDS: dict[bytes, type[_Line]] = {
    b'{"settings_of":': ExportedSettings,
    b'{"version_of":': ExportedVersion,
    b'{"sample_of":': ExportedSample,
    b'{"collection":': ExportedPerson,
}
_MANIFEST = b'{"people":'


class ExportWriter:
    """Writes an export to a binary file, from its head to its manifest."""

    def __init__(self, file: BinaryIO, head: ExportHead) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._counts = Manifest()
        self._write(head)

    def add(self, line: ExportedSettings | ExportedPerson | Extra) -> None:
        """Write one line; the settings come before everybody, and what is a person's after the person."""
        self._write(line)
        self._counts = self._counts.with_line(line)

    def finish(self) -> Manifest:
        """Write the manifest."""
        manifest = self._counts.model_copy(update={"sha256": self._digest.hexdigest()})
        self._write(manifest)
        return manifest

    def _write(self, line: _Line) -> None:
        written = line.model_dump_json(exclude_none=True).encode() + b"\n"
        self._digest.update(written)
        self._file.write(written)


def check_export(path: Path) -> tuple[ExportHead, Manifest]:
    """Head and manifest of a file that is whole. Raises FieldInvalid, OSError."""
    digest = hashlib.sha256()
    counts = Manifest()
    with path.open("rb") as file:
        first = file.readline()
        head = _parse(ExportHead, first, 1)
        digest.update(first)
        last, number = b"", 1
        for number, line in enumerate(file, 2):
            if last:
                counts = counts.with_line(_read(last, number - 1))
                digest.update(last)
            last = line
    if not last.startswith(_MANIFEST):
        raise _not_whole("it has no manifest at its end: it was cut off")
    manifest = _parse(Manifest, last, number)
    if manifest != counts.model_copy(update={"sha256": digest.hexdigest()}):
        raise _not_whole("its content is not what its manifest says")
    return head, manifest


def read_settings(path: Path) -> Iterator[ExportedSettings]:
    """The settings in a file that was checked. Raises FieldInvalid, OSError."""
    for line in _lines(path):
        if not isinstance(line, ExportedSettings):
            return
        yield line


def read_people(path: Path) -> Iterator[tuple[ExportedPerson, Iterator[Extra]]]:
    """The people of a file that was checked, each with what follows; read that before the next. Raises as above."""
    number = 0

    def count(line: _Line) -> int:
        nonlocal number
        number += isinstance(line, ExportedPerson)
        return number

    for nth, group in groupby(_lines(path), key=count):
        if nth:
            person, extras = next(group), (line for line in group if isinstance(line, Extra))
            if isinstance(person, ExportedPerson):
                yield person, extras


def _lines(path: Path) -> Iterator[_Line]:
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            if line.startswith(_MANIFEST):
                return
            yield _read(line, number)


def _read(line: bytes, number: int) -> _Line:
    kind = next((kind for start, kind in _KINDS.items() if line.startswith(start)), ExportedPerson)
    return _parse(kind, line, number)


def _parse(kind: type[_Kind], line: bytes, number: int) -> _Kind:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        # Not chained: the line holds ids.
        raise _not_whole(f"line {number} is not one of an export of versions 1 and 2") from None


def _not_whole(why: str) -> FieldInvalid:
    return FieldInvalid(f"the export cannot be used: {why}", field="file", fix="take another copy of the file")
