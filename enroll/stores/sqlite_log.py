"""Whether the write-ahead log beside an SQLite file is one that SQLite will read.

    header = magic ‖ format 3007000 ‖ page size ‖ checkpoint ‖ salt (8 bytes) ‖ checksum of these 24 bytes (8 bytes)

SQLite takes a log whose header does not agree with its checksum for empty: what had been answered would be passed over
in silence. The header is on the disk before the first answer that needs it, so power that goes leaves a whole one, or,
in a log that never counted, no bytes or zeros (https://www.sqlite.org/fileformat2.html, section 4.1).
"""

import struct
import time
from pathlib import Path

from encode.errors import StoreCorrupt

HEADER_BYTES = 32
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_FORMAT = 3_007_000
_LOOKS = 5
_BETWEEN_SECONDS = 0.05
_WORD = 0xFFFFFFFF


def require_sound_log(database: Path) -> None:
    """Raise StoreCorrupt if what the log beside `database` holds would be passed over."""
    log = database.with_name(f"{database.name}-wal")
    for _ in range(_LOOKS):
        try:
            with log.open("rb") as file:
                header = file.read(HEADER_BYTES)
        except OSError:  # there is none, or whoever opens it next says why it cannot be read
            return
        if not header.strip(b"\0") or sound(header):
            return
        # Another process may be writing it at this moment.
        time.sleep(_BETWEEN_SECONDS)
    raise StoreCorrupt(
        "the write-ahead log of the database is damaged: SQLite would take it for empty",
        fix="restore a backup with `countersign db restore`; or, to go on without what the log held, move the file "
        "ending in -wal away and run `countersign db reconcile`",
    )


def sound(header: bytes) -> bool:
    """Whether 32 bytes are the header of a log."""
    if len(header) < HEADER_BYTES:
        return False
    magic, version = struct.unpack_from(">2I", header)
    if magic not in (_LITTLE, _BIG) or version != _FORMAT:
        return False
    words = struct.unpack_from("<6I" if magic == _LITTLE else ">6I", header)
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return (first, second) == struct.unpack_from(">2I", header, 24)
