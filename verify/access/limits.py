"""How many calls a caller may make: a token bucket for each.

    tokens(t) = min( burst, tokens(t₀) + rate · (t − t₀) )        a call takes 1, and is refused where there is less

A bucket that has filled up again says nothing that a new one would not, so that those untouched for longest are dropped
once there are too many.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from encode.errors import RateLimited

MAX_CALLERS = 10_000
BURST_SECONDS = 2.0
"""Seconds of calls at the full rate that may come at once."""


class RateLimits:
    """At most `rate` calls a second from each caller, and twice as many at once. Safe to use from several threads.

    Parameters
    ----------
    rate : calls a second, more than 0.
    what, who : the words for what is counted and for whose it is, for the error.
    clock : seconds of a monotonic clock.
    """

    def __init__(
        self,
        rate: float,
        what: str = "calls",
        who: str = "caller",
        *,
        clock: Callable[[], float] = time.monotonic,
        max_callers: int = MAX_CALLERS,
    ) -> None:
        self._rate = rate
        self._what = what
        self._who = who
        self._burst = max(1.0, BURST_SECONDS * rate)
        self._clock = clock
        self._max_callers = max_callers
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str) -> None:
        """Count one call of the caller. Raises RateLimited, in which case nothing is counted."""
        with self._lock:
            now = self._clock()
            held, at = self._buckets.pop(caller, (self._burst, now))
            held = min(self._burst, held + self._rate * (now - at))
            allowed = held >= 1.0
            self._buckets[caller] = (held - 1.0 if allowed else held, now)
            while len(self._buckets) > self._max_callers:
                self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(
                f"more than {self._rate:g} {self._what} a second come from this {self._who}",
                fix="wait as long as retry-after says, and send fewer calls at once",
                retry_after=(1.0 - held) / self._rate,
            )
