"""Unwrapped data keys, remembered for a short while: a Verify call needs one, and a key management service is slow.

Only the process's memory holds them. What another process destroys is forgotten here after `seconds` at the latest; the
rows that the key opened are gone at once.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from enroll.keys.envelope import Cipher

SECONDS = 60.0
CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class DataKey:
    """One person's data key (32 bytes), and how often what it seals is known to have been changed."""

    ref: str
    key: bytes = field(repr=False)
    cipher: Cipher = field(repr=False)
    revision: int


class KeyCache:
    """At most `capacity` keys, each for `seconds`; safe to use from several threads. `clock` counts seconds."""

    def __init__(
        self, *, seconds: float = SECONDS, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._clock = clock
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[DataKey, float]] = OrderedDict()

    def get(self, ref: str) -> DataKey | None:
        """The key, if it is remembered."""
        with self._lock:
            key, until = self._held.get(ref, (None, 0.0))
            if key is not None and until <= self._clock():
                del self._held[ref]
                key = None
            return key

    def put(self, ref: str, key: bytes, revision: int) -> DataKey:
        """Remember a key just read; a revision known to be later stands."""
        with self._lock:
            before, _ = self._held.pop(ref, (None, 0.0))
            if before is not None:
                revision = max(revision, before.revision)
            held = DataKey(ref, key, Cipher(key), revision)
            self._held[ref] = (held, self._clock() + self._seconds)
            while len(self._held) > self._capacity:
                self._held.popitem(last=False)
            return held

    def advance(self, ref: str, revision: int) -> None:
        """Take note of a later revision, without making the memory last longer."""
        with self._lock:
            key, until = self._held.get(ref, (None, 0.0))
            if key is not None and key.revision < revision:
                self._held[ref] = (DataKey(ref, key.key, key.cipher, revision), until)

    def forget(self, ref: str) -> None:
        with self._lock:
            self._held.pop(ref, None)

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
