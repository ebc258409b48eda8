"""A queue that several callers share: each caller's own in order, the callers in turn.

Whoever sends much waits behind their own, and whoever sends little behind one of each other caller's.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class FairQueue(Generic[_Item]):
    """Not safe across threads by itself."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, deque[_Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, owner: Hashable, item: _Item) -> None:
        """Append an item to its owner's line; a new line begins behind all others."""
        self._lines.setdefault(owner, deque()).append(item)
        self._length += 1

    def take(self) -> _Item | None:
        """The oldest item of the caller whose turn it is, or None if nobody waits."""
        if not self._lines:
            return None
        owner, line = next(iter(self._lines.items()))
        item = line.popleft()
        self._length -= 1
        if line:
            self._lines.move_to_end(owner)
        else:
            del self._lines[owner]
        return item

    def withdraw(self, owner: Hashable, item: _Item) -> bool:
        """Take an item out, wherever it stands; False if it is not there any more."""
        line = self._lines.get(owner)
        if line is None or item not in line:
            return False
        line.remove(item)
        self._left(owner, line)
        return True

    def ahead_of(self, owner: Hashable) -> int:
        """How many items are taken before one that `owner` puts in now."""
        own = len(self._lines.get(owner, ()))
        return own + sum(min(len(line), own + 1) for other, line in self._lines.items() if other != owner)

    def gives_way(self, owner: Hashable) -> bool:
        """Whether somebody has at least two items more than `owner`."""
        most = max(map(len, self._lines.values()), default=0)
        return most >= len(self._lines.get(owner, ())) + 2

    def give_way(self, owner: Hashable) -> _Item | None:
        """The newest item of whoever has most, taken out, if that is at least two more than `owner` has; else None."""
        if not self.gives_way(owner):
            return None
        most = max(self._lines, key=lambda one: len(self._lines[one]))
        line = self._lines[most]
        item = line.pop()
        self._left(most, line)
        return item

    def _left(self, owner: Hashable, line: deque[_Item]) -> None:
        self._length -= 1
        if not line:
            del self._lines[owner]
