"""The real service in a process of its own on a store that outlives it: started, killed, started again.

What is read of its log is the line that says where it listens, as by the demonstration.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from countersign.demo.service import address_when_ready
from verify.settings import environment_without_settings

_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a campaign's store is: the same flags for the service and for the commands beside it.

    `key_file` None is the one beside an SQLite database.
    """

    database: str
    key_database: str
    key_file: Path | None

    @property
    def flags(self) -> list[str]:
        """Of every command that opens the store."""
        keys = [] if self.key_file is None else ["--key-file", str(self.key_file)]
        return ["--database", self.database, "--key-database", self.key_database, *keys]


class Service:
    """One run of `countersign serve` on a free port of 127.0.0.1; `log` is its own file of this run."""

    def __init__(self, place: Place, bundle: Path, log: Path, *, flags: Sequence[str] = ()) -> None:
        settings = {"--models": str(bundle), "--lockout-rejections": "0", "--calls-per-second": "0", "--threads": "1"}
        given = [word for pair in settings.items() for word in pair]
        self._began = time.monotonic()
        self.log = log
        self.process = command("serve", "--port", "0", *place.flags, *given, *flags, stderr=log)

    def ready(self) -> tuple[str, float]:
        """Wait for health: ``host:port``, and the seconds since the start. Raises ServiceUnavailable."""
        address = address_when_ready(self.process, self.log)
        return address, time.monotonic() - self._began

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        kill(self.process)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(_STOP_SECONDS)


def command(*words: str, stderr: Path) -> "subprocess.Popen[bytes]":
    """A command of this project in a process of its own; what it prints goes to `stderr`, with ``.out`` at the end."""
    with stderr.open("wb") as errors, stderr.with_name(stderr.name + ".out").open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "countersign", *words],
            stdout=out,
            stderr=errors,
            env=environment_without_settings() | {"COLUMNS": "200"},
        )


def run(*words: str, within: float = 120.0) -> "subprocess.CompletedProcess[str]":
    """A command of this project, waited for."""
    return subprocess.run(
        [sys.executable, "-m", "countersign", *words],
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
        env=environment_without_settings(),
    )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL, and wait until it is gone; a process that has ended by itself is left alone."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
