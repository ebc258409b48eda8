"""Lock-out after rejected claims: what keeps somebody from trying until it works.

After `allowed` rejections in a row the next attempt has to wait, each time twice as long,

    wait(n) = min( 3600 s, 30 s · 2^(n − allowed) )        after the n-th rejection, n >= allowed

NIST SP 800-63B asks biometric verifiers without presentation-attack detection for no more than five failed attempts in
a row, then a delay of at least 30 seconds before each further one: growing exponentially in revision 3 (2017, section
5.2.3), with an end after 50 in a row in revision 4 (2025, section 3.2.3). The delay here is both; an end there is not,
because whoever may claim could end anybody's. An accepted claim starts over, and so, which NIST does not say, do 24
hours without a rejection, and a restart.

Attempts under way count as if they were rejected, so that a hundred claims at once are not a hundred free tries. Names
are kept as keyed hashes of 16 bytes, in at most `capacity` entries; the one rejected longest ago goes first.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from encode.errors import LockedOut

CAPACITY = 100_000
FIRST_WAIT = 30.0
LONGEST_WAIT = 3_600.0
FORGET_SECONDS = 86_400.0
_BUSY_WAIT = 1.0


@dataclass(slots=True)
class _Record:
    rejections: int = 0
    under_way: int = 0
    free_at: float = 0.0
    rejected_at: float = 0.0


class Attempt:
    """One claim under way; without a verdict (the samples could not be read, say) it counts for nothing."""

    def __init__(self) -> None:
        self.accepted: bool | None = None

    def decide(self, accepted: bool) -> None:
        self.accepted = accepted


class Lockout:
    """Rejections in a row, by whatever the attempts are counted by. Safe to use from several threads.

    Parameters
    ----------
    allowed : rejections in a row before the first wait, at least 1.
    what : the words for what is locked, for the error.
    clock : seconds of a monotonic clock.
    """

    def __init__(
        self, allowed: int, what: str, *, clock: Callable[[], float] = time.monotonic, capacity: int = CAPACITY
    ) -> None:
        self._allowed = allowed
        self._what = what
        self._clock = clock
        self._capacity = capacity
        self._key = secrets.token_bytes(32)
        self._lock = Lock()
        self._records: OrderedDict[bytes, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    @contextmanager
    def attempt(self, *name: str) -> Iterator[Attempt]:
        """Count what becomes of one attempt, told by :meth:`Attempt.decide` inside the block.

        Raises
        ------
        LockedOut : the wait is not over, or as many attempts as are allowed are under way.
        """
        key = self._hash(name)
        with self._lock:
            record = self._enter(key)
            record.under_way += 1
        attempt = Attempt()
        try:
            yield attempt
        finally:
            with self._lock:
                record.under_way -= 1
                self._leave(key, record, attempt.accepted)

    def _enter(self, key: bytes) -> _Record:
        now = self._clock()
        record = self._records.get(key)
        if record is not None and not record.under_way and now - record.rejected_at > FORGET_SECONDS:
            record.rejections = 0
        if record is None:
            record = self._records[key] = _Record(rejected_at=now)
            while len(self._records) > self._capacity:
                self._records.popitem(last=False)
        if now < record.free_at:
            raise self._locked(record.free_at - now)
        # Past the first wait there is one attempt at a time.
        if record.under_way and record.rejections + record.under_way >= self._allowed:
            raise self._locked(_BUSY_WAIT)
        return record

    def _leave(self, key: bytes, record: _Record, accepted: bool | None) -> None:
        if accepted is False:
            record.rejections += 1
            record.rejected_at = now = self._clock()
            if record.rejections >= self._allowed:
                # Past 2^20 the longest wait is long reached: the power need not grow further.
                doublings = min(20, record.rejections - self._allowed)
                record.free_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2.0**doublings)
            # Back at the end, even if a flood of other names has pushed it out meanwhile.
            self._records[key] = record
            self._records.move_to_end(key)
        elif accepted:
            record.rejections, record.free_at = 0, 0.0
        if not record.rejections and not record.under_way and self._records.get(key) is record:
            del self._records[key]

    def _locked(self, seconds: float) -> LockedOut:
        return LockedOut(
            f"too many claims {self._what} were rejected one after the other",
            fix="wait as long as retry-after says",
            retry_after=seconds,
        )

    def _hash(self, name: tuple[str, ...]) -> bytes:
        hashed = hashlib.blake2b(key=self._key, digest_size=16)
        for part in name:
            encoded = part.encode()
            hashed.update(len(encoded).to_bytes(4, "big") + encoded)
        return hashed.digest()
