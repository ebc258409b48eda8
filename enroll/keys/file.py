"""Key files: one key-encryption key a line in base64, the current one first; empty lines and ``#`` comments pass.

    countersign keys new --file keys        a new first line
    countersign keys rotate                 a new first line, everything wrapped anew, and the older lines gone

A file is only ever replaced whole, so that a reader never meets half of it, and is readable by its owner alone.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from encode.errors import ConfigError
from enroll.keys.envelope import KEY_BYTES
from enroll.keys.ring import KeyProvider, LocalKey

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
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{_HEADER}{new_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path)
    except OSError as error:
        path.unlink(missing_ok=True)
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


def _replace(path: Path, lines: Sequence[str]) -> None:
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_HEADER + "".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
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
