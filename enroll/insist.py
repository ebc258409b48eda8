"""Writing although others write too: the optimistic half of optimistic concurrency."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from encode.errors import VersionConflict

_ATTEMPTS = 16
"""Tries of a write before a person whom others keep changing is reported as VersionConflict."""

_Answer = TypeVar("_Answer")


def insist(write: Callable[[], _Answer]) -> _Answer:
    """The result of `write`, which reads anew each time it is called, until no other writer comes in between.

    Raises
    ------
    VersionConflict : after 16 tries.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(VersionConflict):
            return write()
    return write()
