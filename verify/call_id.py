"""The id of the call under way: the one in its log line, its answer's trailers and its entry in the audit log.

The context variable travels with the call, onto its worker thread too.
"""

from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("countersign_call_id", default=None)


def current_call_id() -> str | None:
    """A UUID; None outside of a call."""
    return _current.get()


def set_call_id(call_id: str) -> None:
    """Name the call that this task answers."""
    _current.set(call_id)
