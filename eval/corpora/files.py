"""What readers of files share: which folders are there, which files count, and the number a name ends in."""

import re
from collections.abc import Iterator
from pathlib import Path

from encode.errors import CorpusMissing

_NUMBER = re.compile(r"(\d+)$")


def require_folder(directory: Path) -> None:
    """Raise CorpusMissing unless there is a folder at `directory`."""
    if not directory.is_dir():
        raise CorpusMissing(f"there is no folder {directory}", fix="check the path after the colon")


def visible_files(directory: Path, *, deep: bool = False) -> Iterator[Path]:
    """Files of a folder, with `deep` of those within it too, in a stable order. Raises CorpusMissing.

    Hidden ones are left out: copies made on a Mac hold a "._photo.jpg" of metadata beside every photo.jpg.
    """
    require_folder(directory)
    found = directory.rglob("*") if deep else directory.iterdir()
    yield from sorted(entry for entry in found if not entry.name.startswith(".") and entry.is_file())


def number_of(stem: str) -> int | None:
    """The number that a file's name, without its suffix, ends in; None where it ends in none."""
    found = _NUMBER.search(stem)
    return int(found.group(1)) if found else None
