"""No core dumps: a process that crashes must not write templates and keys to a disk.

The limit stops the kernel from writing a file; not being dumpable also stops it from handing the memory to a crash
reporter, and other processes of the same user from reading it (Linux).
"""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """For this process and those it starts, for good. Where the system knows no such thing, nothing happens."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
