"""What a kind of file is to the campaign: whole ones to damage, and their reader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    whole : files as they are written.
    read : the content of one, comparable; raises CountersignError.
    sealed : whether a changed content must never be read.
    text : whether it is JSON, which is also changed as a document.
    same : whether what was read, first, is nothing but what the whole file holds, second.
    """

    name: str
    whole: tuple[bytes, ...]
    read: Callable[[bytes], Any]
    sealed: bool = False
    text: bool = False
    same: Callable[[Any, Any], bool] = lambda read, whole: bool(read == whole)
