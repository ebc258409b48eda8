"""From other threads to the event loop, with one awakening for whatever has come together.

``call_soon_threadsafe`` writes to a pipe each time, and the loop reads it each time: under load that takes longer than
the callbacks.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class LoopBridge:
    """Runs callbacks in `loop`, in the order in which they came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._awake = False

    def post(self, callback: Callable[[], None]) -> None:
        """Have `callback` run soon, from any thread; one posted after the loop has closed is dropped."""
        self._waiting.append(callback)
        # Whoever sees True has appended before the loop cleared it, and so before the loop looks at what waits.
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:
                self._waiting.clear()

    def _run(self) -> None:
        self._awake = False
        while self._waiting:
            try:
                self._waiting.popleft()()
            except Exception as error:  # noqa: BLE001 - the others are waited for all the same
                self._loop.call_exception_handler({"message": "a posted callback failed", "exception": error})
