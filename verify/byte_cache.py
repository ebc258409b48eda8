"""A cache that is bounded in bytes of the arrays it holds; what was asked for least recently makes room."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

_LEAST_BYTES = 4_096
"""Taken by an entry without any array."""

_Value = TypeVar("_Value")


class ByteCache(Generic[_Value]):
    """At most `capacity` bytes of values, 0 for none; safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._held: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def nbytes(self) -> int:
        """What the values take, by :func:`array_bytes`."""
        return self._bytes

    def get(self, key: Hashable) -> _Value | None:
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: _Value) -> None:
        """Keep this in place of what was kept under the key; one larger than all that may be held is not kept."""
        size = _LEAST_BYTES + array_bytes(value)
        with self._lock:
            _, before = self._held.pop(key, (None, 0))
            self._bytes -= before
            if size > self._capacity:
                return
            self._held[key] = (value, size)
            self._bytes += size
            while self._bytes > self._capacity:
                _, (_, freed) = self._held.popitem(last=False)
                self._bytes -= freed


def array_bytes(*values: object) -> int:
    """Bytes of the arrays in `values` and in the dataclasses, mappings and sequences that they are made of."""
    found, waiting = 0, list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, np.ndarray):
            found += value.nbytes
        elif is_dataclass(value):
            waiting.extend(getattr(value, one.name) for one in fields(value))
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, tuple | list):
            waiting.extend(value)
    return found
