"""A service that crashes leaves no memory on a disk."""

import subprocess
import sys

import pytest

CRASH = """
import ctypes, os, resource
from verify.core_dumps import forbid_core_dumps
forbid_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
os.abort()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_process_that_crashes_dumps_no_core() -> None:
    ended = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert ended.stdout == "(0, 0) 0\n"
    assert ended.returncode == -6
