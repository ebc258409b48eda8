"""Whether a command can write where it is told to: asked before the work, not after an hour of it."""

import os
from pathlib import Path

from encode.errors import ConfigError

FIX = "choose another place to write to"


def require_folder(folder: Path, field: str = "out") -> None:
    """Raise ConfigError where `folder` cannot be written into, nor made if it is not there yet."""
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise ConfigError(f"{folder} cannot be written into: {nearest.name} is no folder", field=field, fix=FIX)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder} cannot be written into: permission denied", field=field, fix=FIX)


def require_file(file: Path, field: str = "out") -> None:
    """Raise ConfigError where `file` is a folder, or its folder cannot be written into."""
    if file.is_dir():
        raise ConfigError(f"{file} is a folder, and a file is to be written", field=field, fix="name a file in it")
    require_folder(file.parent, field)
