"""Files that take the place of others: what an operator makes as root must stay readable for the service."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def take_after(old: Path, new: Path) -> None:
    """Give `new`, which is about to replace `old`, that file's owner and mode. Raises OSError."""
    was, now = old.stat(), new.stat()
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        with suppress(PermissionError):  # the folder lets this account replace the file, and that is all
            os.chown(new, was.st_uid, was.st_gid)
    new.chmod(stat.S_IMODE(was.st_mode))
