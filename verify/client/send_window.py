"""How fast a batch may be sent: what is out and not yet answered, and when the service next wants to hear.

    room      at most `size` messages out at once, and at most 64 MiB of them
    slower    an answer that says "later": nothing is sent before, and half as many are out from then on
    faster    an answer without: one more for every windowful of them, up to `size`

Additive increase, multiplicative decrease, as TCP shares a line (Chiu and Jain 1989): many batches against one service
settle on what it has to give.
"""

from verify.messages import MAX_MESSAGE_BYTES

WINDOW = 32
"""As many as the service works on of one stream."""

DEFAULT_WAIT = 0.25
"""Seconds to wait where the service is full and does not say for how long."""


class SendWindow:
    """Decides when the next message may go. Instants are seconds of one monotonic clock."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._allowed = float(size)
        self._not_before = 0.0

    @property
    def allowed(self) -> int:
        """Messages that may be out at once."""
        return max(1, int(self._allowed))

    def room(self, out: int, out_bytes: int) -> bool:
        """Whether another message may go where so many, of so many bytes, are out."""
        return not out or (out < self.allowed and out_bytes < MAX_MESSAGE_BYTES)

    def wait(self, now: float) -> float:
        """Seconds until the next message may be sent; 0 if at once."""
        return max(0.0, self._not_before - now)

    def answered(self) -> None:
        """A message was answered."""
        self._allowed = min(float(self._size), self._allowed + 1.0 / self._allowed)

    def refused(self, retry_after: float, now: float) -> None:
        """A message was answered with "later"."""
        if now >= self._not_before:  # one decrease for all refusals of one moment
            self._allowed = max(1.0, self._allowed / 2)
        self._not_before = max(self._not_before, now + (retry_after or DEFAULT_WAIT))
