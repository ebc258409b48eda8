"""A store whose files are photographed between writes, as a disk would be found after the power went."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from encode.sample import Modality
from enroll.audit.chain import AuditKeys, Head
from enroll.audit.check import check_stored
from enroll.audit.event import Action, AuditEvent
from enroll.audit.reading import stored_log
from enroll.keys.cache import DataKey
from enroll.stores.opening import AUDIT_SECRET, StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)
NAME = "people.sqlite"
LOG = "-wal"

Files = dict[str, bytes]
"""File's name → content."""
Versions = dict[str, int]
"""Person → version of the face template, of everybody who is enrolled."""


@dataclass(frozen=True)
class Moment:
    """What had been answered, and what the disk held then: the data's files and the key store's.

    `keys_during` is what the key store held while the data was being written.
    """

    answered: Versions
    data: Files
    keys: Files
    keys_during: Files


class Photographed:
    """A store in `folder`; every mutation appends a :class:`Moment` to `moments`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.store = open_sql_store(StorePlace(str(folder / NAME)))
        self._templates: dict[str, Template] = {}
        self._keys: Files = {}
        self.moments = [self.photograph()]
        create = self.store.keys.create
        self.store.keys.create = lambda: self._after(create())  # type: ignore[method-assign]

    def _after(self, key: DataKey) -> DataKey:
        self._keys = self.photograph().keys
        return key

    def enroll(self, person: str) -> None:
        """The person's first template, or the next version of it."""
        before = self._templates.get(person)
        self._keys = self.moments[-1].keys
        values = np.random.default_rng(len(self.moments)).normal(size=(2, 64)).astype(np.float32)
        empty = Template.empty("staff", person, Modality.FACE, "a" * 64, size=64, now=NOW)
        after = (before or empty).with_references(values, anchors_capacity=2, recent_capacity=2, now=NOW)
        event = AuditEvent(Action.ENROLL, collection="staff", person=person)
        self.store.save([after], answer=b"", request=None, event=event)
        self._templates[person] = after
        self.moments.append(self.photograph())

    def erase(self, person: str) -> None:
        event = AuditEvent(Action.DELETE_PERSON, collection="staff", person=person)
        self.store.erase([self._templates[person]], answer=b"", request=None, event=event)
        del self._templates[person]
        self.moments.append(self.photograph())

    def photograph(self) -> Moment:
        """The files as they are; without the shared memory beside them, which is no part of the disk."""
        files = {path.name: path.read_bytes() for path in self.folder.iterdir() if not path.name.endswith("-shm")}
        keys = {name: content for name, content in files.items() if not name.startswith(NAME + "-") and name != NAME}
        data = {name: content for name, content in files.items() if name not in keys}
        answered = {person: held.version for person, held in self._templates.items()}
        return Moment(answered, data, keys, self._keys or keys)


Reopen = Callable[..., "object"]


@pytest.fixture
def photographed(tmp_path: Path) -> Iterator[Photographed]:
    made = Photographed(tmp_path / "live")
    yield made
    made.store.close()


@pytest.fixture
def reopened(tmp_path: Path) -> Callable[..., object]:
    """``with reopened(data, keys) as store``: these files in a folder of their own, opened as the next start would."""
    used = iter(range(1_000_000))

    @contextmanager
    def reopen(*parts: Files) -> Iterator[SqlStore]:
        folder = tmp_path / f"found-{next(used)}"
        folder.mkdir()
        for part in parts:
            for name, content in part.items():
                (folder / name).write_bytes(content)
        try:
            store = open_sql_store(StorePlace(str(folder / NAME)))
            try:
                yield store
            finally:
                store.close()
        finally:
            for path in folder.iterdir():
                with suppress(FileNotFoundError):
                    path.unlink()

    return reopen


@pytest.fixture
def versions() -> Callable[[SqlStore], Versions]:
    """``versions(store)``: everybody who is there, each opened and decoded."""

    def read(store: SqlStore) -> Versions:
        listed = [one.person for one in store.list_people("staff", limit=1_000)]
        return {person: store.get("staff", person)[0].version for person in listed}

    return read


@pytest.fixture
def chain_intact() -> Callable[..., bool]:
    """``chain_intact(store, *heads)``: what `countersign audit verify --head` says of it."""

    def check(store: SqlStore, *heads: Head) -> bool:
        keys = AuditKeys.derive(store.keys.secret(AUDIT_SECRET))
        with store.database.reading() as connection:
            stored, rows = stored_log(connection)
            return bool(check_stored(rows, stored, keys, kept=heads).intact)

    return check
