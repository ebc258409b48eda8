"""Key files: one key-encryption key a line in base64, the current one first; empty lines and ``#`` comments pass.

    countersign keys new --file keys        a new first line
    countersign keys rotate                 a new first line, everything wrapped anew, and the older lines gone

A file is only ever replaced whole, so that a reader never meets half of it. A new one is readable by its owner alone;
one that takes the place of another has that one's owner and mode, so that a service can still read it. Of a link, the
file that it leads to is replaced: a link that became a file would part from the volume that the keys are on.
"""

import base64
import binascii
import errno
import glob
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from encode.errors import ConfigError
from enroll.keys.envelope import KEY_BYTES
from enroll.keys.ring import KeyProvider, LocalKey
from enroll.succession import take_after

_LEFT_SECONDS = 60.0
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems say that know no second name of a file."""

_HEADER = (
    "# Keys that open the stored templates, the current one first. Keep a copy in a safe place, apart from backups.\n"
)


def new_key() -> str:
    """A random key of 32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse_keys(text: str, field: str) -> list[KeyProvider]:
    """Keys separated by commas or lines, at least one.

    Raises
    ------
    ConfigError : there is none, or one is not 32 bytes in base64; no key is quoted.
    """
    lines = [line.partition("#")[0] for line in text.splitlines()]
    written = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    if not written:
        raise ConfigError("there is no key", field=field, fix="make one with `countersign keys new`")
    return [LocalKey(_decode(word, number, field)) for number, word in enumerate(written, 1)]


def read_key_file(path: Path) -> list[KeyProvider]:
    """The keys of a file. Raises ConfigError."""
    return parse_keys(_read(path), "key_file")


def create_key_file(path: Path) -> None:
    """Write a file with one new key, unless there is one already. Raises ConfigError."""
    if path.exists():
        return
    path = path.resolve()
    try:
        beside = _write_beside(path, [new_key()])
        try:
            _put_in_place(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(path)
    except FileExistsError:
        return
    except OSError as error:
        raise _unwritable(path, error) from error


def add_key(path: Path) -> None:
    """Put a new key first in a file, which is made if there is none. Raises ConfigError."""
    if not path.exists():
        create_key_file(path)
        return
    read_key_file(path)  # never add to what is no key file
    _replace(path, [new_key(), *_lines(path)])


def keep_keys(path: Path, key_ids: Sequence[str]) -> None:
    """Leave only the keys of these ids in a file, and overwrite the old file with zeros. Raises ConfigError."""
    path = path.resolve()
    kept = [line for line in _lines(path) if parse_keys(line, "key_file")[0].key_id in key_ids]
    try:
        with path.open("r+b") as old:
            size = old.seek(0, os.SEEK_END)
            _replace(path, kept)
            # The name leads to the new file by now. What a disk keeps of overwritten blocks is beyond a program.
            old.seek(0)
            old.write(bytes(size))
            old.flush()
            os.fsync(old.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error


def _lines(path: Path) -> list[str]:
    words = [line.partition("#")[0] for line in _read(path).splitlines()]
    return [word.strip() for line in words for word in line.split(",") if word.strip()]


def _put_in_place(beside: Path, path: Path) -> None:
    """Whole from its first moment, and not in the place of one that another process makes meanwhile. Raises OSError."""
    try:
        os.link(beside, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        beside.replace(path)


def _replace(path: Path, lines: Sequence[str]) -> None:
    path = path.resolve()
    try:
        beside = _write_beside(path, lines)
        try:
            take_after(path, beside)
            beside.replace(path)
        except OSError:
            beside.unlink()
            raise
        _sync_folder(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write_beside(path: Path, lines: Sequence[str]) -> Path:
    """A new file with these keys, on the disk; what a process left that was killed here goes. Raises OSError."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 8}"):
        with suppress(FileNotFoundError):
            # A younger one is another process's that is about to be put in place.
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink()
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_HEADER + "".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        # Zeros are what a file holds that was replaced since it was opened.
        return path.read_text(encoding="utf-8") if "\0" in text else text
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"the key file {path} cannot be read: {why}", field="key_file", fix="check its path and its permissions"
        ) from error


def _decode(word: str, number: int, field: str) -> bytes:
    try:
        key = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"key {number} is not {KEY_BYTES} bytes in base64", field=field, fix="make one with `countersign keys new`"
        )
    return key


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the key file {path} cannot be written: {error.strerror}",
        field="key_file",
        fix="check its folder, or change the file by hand",
    )
