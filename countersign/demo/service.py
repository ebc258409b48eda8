"""The real service in a process of its own, as `countersign serve` starts it, for as long as a block lasts."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from encode.errors import ConfigError, ServiceFailed, ServiceUnavailable
from verify.settings import environment_without_settings

_START_SECONDS = 120.0  # a cold start reads some hundred megabytes of libraries
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.05


@contextmanager
def running_service(bundles: Sequence[Path], log: Path) -> Iterator[str]:
    """Serve `bundles`, one a modality, on a free port of 127.0.0.1; yields ``host:port`` once health says SERVING.

    Templates go into an SQLite file of a temporary folder and are gone afterwards; the service's log goes to `log`.
    At the end it gets SIGTERM and is waited for.

    Raises
    ------
    ServiceUnavailable : it does not start. ServiceFailed : it does not stop as asked, with exit code 0.
    """
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as work:
        flags = {
            "--host": "127.0.0.1",
            "--port": "0",
            "--database": str(Path(work) / "templates.sqlite"),
            "--log-level": "info",
            "--log-format": "json",
        }
        given = [*flags.items(), *(("--models", str(bundle)) for bundle in bundles)]
        command = [sys.executable, "-m", "countersign", "serve", *(word for flag in given for word in flag)]
        # Settings of a service that the reader runs must not change this one.
        environment = environment_without_settings()
        with _opened(log) as stream:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream, env=environment)
        try:
            yield address_when_ready(process, log)
        except BaseException:
            _end(process)
            raise
        code = _end(process)
        if code != 0:
            raise ServiceFailed(f"the service was asked to stop and ended with exit code {code}", fix=f"read {log}")


def _opened(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("wb")
    except OSError as error:
        raise ConfigError(f"{log} cannot be written: {error.strerror}", field="out") from error


def address_when_ready(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait for the port in the log, then for health on that port: ``host:port``. Raises ServiceUnavailable."""
    from verify.client.client import Client

    give_up = time.monotonic() + _START_SECONDS
    address = None
    while time.monotonic() < give_up and process.poll() is None:
        address = address or _address_in(log)
        if address is not None:
            with Client(address, timeout=max(1.0, give_up - time.monotonic())) as client:
                if client.healthy():
                    return address
        time.sleep(_LOOK_SECONDS)
    code = process.poll()
    happened = f"is not ready after {_START_SECONDS:.0f} seconds" if code is None else f"ended with exit code {code}"
    raise ServiceUnavailable(f"the service {happened}{_last_words(log)}", fix=f"read {log}")


def _address_in(log: Path) -> str | None:
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{") and line.endswith("}"):
            entry = json.loads(line)
            if entry.get("event") == "serving":
                return f"{entry['host']}:{entry['port']}"
    return None


def _last_words(log: Path) -> str:
    errors = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "error: " in line]
    return f": {errors[-1].partition('error: ')[2]}" if errors else ""


def _end(process: "subprocess.Popen[bytes]") -> int:
    process.terminate()
    try:
        return process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
