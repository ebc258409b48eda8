"""Files that could not be written, told as the caller's to mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from encode.errors import ConfigError


@contextmanager
def writing(folder: Path, what: str, *, field: str = "out") -> Iterator[None]:
    """Make `folder` if need be, for what the block writes into it.

    Raises ConfigError, which says that `what` cannot be written, for every OSError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ConfigError(f"{what} cannot be written: {error.strerror}", field=field) from error
