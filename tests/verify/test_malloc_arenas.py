"""However many threads a service has, they share two heaps."""

import platform
import subprocess
import sys

import pytest

THREADS = """
import ctypes, sys, threading
from verify.malloc_arenas import few_arenas
limited = few_arenas() if sys.argv[1] == "few" else None
libc, ready = ctypes.CDLL(None), threading.Barrier(17)
libc.fopen.restype = libc.malloc.restype = ctypes.c_void_p
def work():
    held = [libc.malloc(1000) for _ in range(100)]
    ready.wait()
    ready.wait()
for _ in range(16):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
ready.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_threads_share_two_heaps() -> None:
    heaps = {}
    for how in ("few", "many"):
        words = [sys.executable, "-c", THREADS, how]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        heaps[how] = told.count("<heap nr=")
    assert 0 < heaps["few"] <= 2 < heaps["many"]
