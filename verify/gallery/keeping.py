"""Where the vectors of a gallery outlast a process: how far what is kept there follows the store, and whose turn it is.

In memory nothing is kept: every process reads everybody when it starts, and follows on its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from enroll.stores.changes import Position


class Keeping:
    """Keeps nothing; see :class:`verify.gallery.pgvector.PgvectorGallery`. Safe to use from several threads."""

    shared = False
    """Whether searches see what other processes have put in."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """No other process changes what is kept until the block ends."""
        yield

    def position(self) -> Position | None:
        """How far what is kept follows the store; None where nothing is kept."""
        return None

    def clear(self) -> None:
        """Forget everybody."""

    def forget(self, refs: Sequence[str]) -> None:
        """Take people out of whatever is kept, of all collections and models, whether or not it was opened here."""

    def keep(self, position: Position) -> None:
        """What is kept follows the store up to `position`."""

    def close(self) -> None:
        """Release what is held."""
