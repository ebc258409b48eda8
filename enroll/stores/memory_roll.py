"""Everybody of a store in memory by reference; see :mod:`enroll.stores.roll`."""

import secrets
from bisect import bisect_right
from collections.abc import Callable, Sequence
from threading import Lock

from enroll.stores.changes import AT_ONCE, KEPT, Changed, Position, changed
from enroll.stores.roll import Page
from enroll.template import Template


class MemoryRoll:
    """References of the people of a store whose `get` tells their templates. Safe to use from several threads."""

    def __init__(self, get: Callable[[str, str], tuple[Template, ...]]) -> None:
        self._get = get
        self._lock = Lock()
        self._refs: dict[tuple[str, str], str] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self._changes: list[str] = []
        self._forgotten = 0

    def note(self, collection: str, person: str, *, erased: bool = False) -> None:
        """A person was changed, for the first time if none of that name was there."""
        owner = collection, person
        with self._lock:
            ref = self._refs.setdefault(owner, secrets.token_hex(16))
            self._owners[ref] = owner
            if erased:
                del self._refs[owner], self._owners[ref]
            self._changes.append(ref)
            if len(self._changes) >= 2 * KEPT:
                self._forgotten += KEPT
                del self._changes[:KEPT]

    def position(self) -> Position:
        with self._lock:
            last = self._forgotten + len(self._changes)
            return Position(last, self._changes[-1] if self._changes else "")

    def page(self, *, after: str = "", limit: int) -> Page:
        with self._lock:
            refs = sorted(self._owners)
        refs = refs[bisect_right(refs, after) :][:limit]
        return Page(self.of(refs), 0, refs[-1] if len(refs) == limit else "")

    def of(self, refs: Sequence[str]) -> dict[str, tuple[Template, ...]]:
        with self._lock:
            owners = {ref: owner for ref in refs if (owner := self._owners.get(ref)) is not None}
        return {ref: templates for ref, owner in owners.items() if (templates := self._get(*owner))}

    def since(self, position: Position) -> Changed | None:
        with self._lock:
            begin = position.last - self._forgotten
            if begin < 0 or begin > len(self._changes):
                return None
            behind = self._changes[begin : begin + AT_ONCE + 1]
        seen = list(enumerate(behind[:AT_ONCE], position.last + 1))
        return changed(position, seen, more=len(behind) > AT_ONCE)
