"""Few heaps: memory that one thread has freed is there for all, so that the process does not grow by its threads.

glibc gives threads heaps of their own, up to eight a processor. What a picture on one worker took and gave back stays
in that worker's heap, in pieces: after some ten thousand calls a service is larger by a fifth, for nothing
(docs/security-testing.md). Elsewhere than on glibc nothing happens.
"""

import ctypes

ARENAS = 2
_M_ARENA_MAX = -8


def few_arenas() -> bool:
    """Limit the heaps of this process to :data:`ARENAS`, before it has threads; whether its C library knows of that."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS))
    except (AttributeError, TypeError):  # another C library; on Windows none of that name
        return False
