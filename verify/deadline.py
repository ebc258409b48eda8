"""How long a call may still take, checked between the steps of its work.

Decoding and inference cannot be interrupted, but they need not be started for a caller who has stopped waiting.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar

from encode.errors import DeadlineExpired


class Deadline:
    """An instant after which, or a word upon which, work is abandoned.

    Parameters
    ----------
    seconds : from now; None waits for ever.
    clock : monotonic seconds.
    """

    __slots__ = ("_abandoned", "_at", "_clock")

    def __init__(self, seconds: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = None if seconds is None else clock() + seconds
        self._abandoned = False

    def abandon(self) -> None:
        """Tell the work, from any thread, that nobody waits for it any more."""
        self._abandoned = True

    @property
    def over(self) -> bool:
        """Whether the instant has passed or the work was abandoned."""
        return self._abandoned or (self._at is not None and self._clock() >= self._at)

    @property
    def remaining(self) -> float | None:
        """Seconds from now, less than 0 if the instant has passed; None for ever."""
        return None if self._at is None else self._at - self._clock()

    def check(self) -> None:
        """Raise DeadlineExpired if the instant has passed or the work was abandoned."""
        if self.over:
            raise DeadlineExpired(
                "the deadline passed before the work was done", fix="allow more time, or send fewer or smaller samples"
            )


current_deadline: ContextVar[Deadline | None] = ContextVar("countersign_deadline", default=None)
"""That of the call under way, on its worker thread too; None outside of one."""
