"""Writing log lines away from the threads that answer: gathered for a moment, then written and flushed together.

A thread that writes lets go of the interpreter's lock and waits for its turn to have it again, which under load takes
longer than all the rest of a call's Python. A process that ends writes what is gathered; one that is killed loses it.
"""

import atexit
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

GATHER_SECONDS = 0.05
MOST_TEXTS = 10_000
_LAST_SECONDS = 1.0
"""That the end of the process waits for a stream that does not take what is written."""
_WHOLE_CHARACTERS = 4_000
"""Written at once at most, if a line is not longer: what a pipe takes without mixing it with what others write to it.

Lines are ASCII but for names of files.
"""


class LogWriter:
    """A stream that drops what cannot be written: a full disk under the log must end neither a call nor the service.

    Parameters
    ----------
    gather : seconds that lines may wait for others; 0 writes each at once.
    """

    def __init__(self, stream: TextIO, *, gather: float = 0.0) -> None:
        self._stream = stream
        self._gather = gather
        self._lock = threading.Lock()
        # Of a stream that nobody reads any more the oldest lines go: the service goes on.
        self._texts: deque[str] = deque(maxlen=MOST_TEXTS)
        self._some = threading.Event()
        self._thread: threading.Thread | None = None
        if gather:
            atexit.register(self.write_out, _LAST_SECONDS)

    def write(self, text: str) -> None:
        """Take a text; :meth:`flush` says when it is whole."""
        self._texts.append(text)

    def flush(self) -> None:
        """Write what was taken, now or soon."""
        if not self._gather:
            self.write_out()
        elif not self._some.is_set():
            self._some.set()
            if self._thread is None:
                self._begin()

    def write_out(self, patience: float = -1.0) -> None:
        """Write what was taken, now; or not, if somebody else writes for longer than `patience` seconds, 0 or more."""
        if not self._lock.acquire(timeout=patience):
            return
        try:
            texts = []
            # As many as there are now: others go on appending, and taking the oldest away.
            for _ in range(len(self._texts)):
                with suppress(IndexError):
                    texts.append(self._texts.popleft())
            with suppress(OSError, ValueError):
                for piece in _pieces(texts):
                    self._stream.write(piece)
                    self._stream.flush()
        finally:
            self._lock.release()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_soon, name="countersign-log", daemon=True)
                self._thread.start()

    def _write_soon(self) -> None:
        pause = threading.Event()
        while self._some.wait():
            pause.wait(self._gather)
            self._some.clear()
            self.write_out()


def _pieces(texts: list[str]) -> Iterator[str]:
    """The texts in order, as many together as may be written at once."""
    piece = ""
    for text in texts:
        if piece and len(piece) + len(text) > _WHOLE_CHARACTERS:
            yield piece
            piece = ""
        piece += text
    if piece:
        yield piece
