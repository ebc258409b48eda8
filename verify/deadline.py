"""How long a call may still take, checked between the steps of its work.

Decoding and inference cannot be interrupted, but they need not be started for a caller who has stopped waiting.
"""

import time
from collections.abc import Callable
from threading import Event

from encode.errors import DeadlineExpired


class Deadline:
    """An instant after which, or a word upon which, work is abandoned.

    Parameters
    ----------
    seconds : from now; None waits for ever.
    clock : monotonic seconds.
    """

    def __init__(self, seconds: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = None if seconds is None else clock() + seconds
        self._abandoned = Event()

    def abandon(self) -> None:
        """Tell the work, from any thread, that nobody waits for it any more."""
        self._abandoned.set()

    def check(self) -> None:
        """Raise DeadlineExpired if the instant has passed or the work was abandoned."""
        late = self._at is not None and self._clock() >= self._at
        if late or self._abandoned.is_set():
            raise DeadlineExpired(
                "the deadline passed before the work was done", fix="allow more time, or send fewer or smaller samples"
            )
