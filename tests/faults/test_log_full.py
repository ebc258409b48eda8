"""A log that cannot be written, because its disk is full, ends neither a call nor the service."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from verify.logging import configure_logging, get_logger

FULL = Path("/dev/full")


@pytest.fixture
def nowhere() -> Iterator[TextIO]:
    """A stream that takes nothing."""
    if not FULL.exists():
        pytest.skip("there is no /dev/full")
    with ExitStack() as opened:
        stream = FULL.open("w", buffering=1)

        def close() -> None:
            with pytest.raises(OSError, match="No space left"):
                stream.close()

        # What it never took, it fails to take once more when it is closed.
        opened.callback(close)
        handlers, level = logging.getLogger().handlers, logging.getLogger().level
        yield stream
        logging.getLogger().handlers = handlers
        logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_that_cannot_be_written_is_dropped(nowhere: TextIO, form: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        nowhere.write("a line\n")
    configure_logging(stream=nowhere, form=form)  # type: ignore[arg-type]
    for _ in range(1_000):
        get_logger().info("call", method="/verify.v1.VerificationService/Verify")
