"""Logs of the service: one JSON object a line on standard error.

A call is logged by its request id, method, code, reason and milliseconds. Nothing that identifies a person is: no
person or collection id, no score, no sample, and no exception text, because libraries put values into theirs.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, cast

import structlog

from verify.log_writer import LogWriter

_SILENT = structlog.wrap_logger(
    structlog.ReturnLogger(), processors=[], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)

Level = Literal["debug", "info", "warning", "error"]


def configure_logging(
    *,
    level: Level = "info",
    form: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
    gather: float = 0.0,
) -> None:
    """Send our log and warnings of libraries to `stream`, standard error by default.

    Lines may wait `gather` seconds for others to be written with.
    """
    out = sys.stderr if stream is None else stream
    writer = LogWriter(out, gather=gather)
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, writer)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.WARNING)
    _calls.writer = writer if form == "json" and level in ("debug", "info") else None


class _Calls:
    """Where calls are logged without the processors; None where they are logged like anything else."""

    writer: LogWriter | None = None


_calls = _Calls()


def log_call(**told: object) -> None:
    """Log that a call has ended: the line that ``get_logger().info("call", …)`` writes, at a fifth of the time.

    There is one for every call, and making it took as long as reading the person of a claim.
    """
    if _calls.writer is None:
        get_logger().info("call", **told)
        return
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    _calls.writer.write(json.dumps({**told, "event": "call", "level": "info", "timestamp": at}) + "\n")
    _calls.writer.flush()


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The service's log; silent until :func:`configure_logging`, so that a library's user keeps the terminal."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger() if structlog.is_configured() else _SILENT
    return logger


def where_raised(error: BaseException) -> list[str]:
    """The frames an exception passed through, outermost first, as ``file:line function``; never its text."""
    return [
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]


class _Forward(logging.Handler):
    """Hands on that a library has complained, and where; not what it said, which may quote what it was given."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        get_logger().warning(
            "library", logger=record.name, at=f"{record.filename}:{record.lineno} {record.funcName}", error=kind
        )
