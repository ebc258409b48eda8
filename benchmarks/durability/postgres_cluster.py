"""A private PostgreSQL server for tests and campaigns: made in a folder of its own, killed as often as wanted, removed.

start  →  address, new_schema  →  crash or hurt  →  start again (it recovers)  →  remove
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_USER = "tests"


class NoPostgres(Exception):
    """PostgreSQL is not installed (Debian: apt-get install postgresql)."""


class PostgresCluster:
    """One server on a free port of 127.0.0.1, not started yet.

    Parameters
    ----------
    fsync : whether the server waits for the disk, as it must wherever data counts.
    options : further settings of the server.

    Raises
    ------
    NoPostgres : there is none to be found.
    """

    def __init__(self, *, fsync: bool, options: Mapping[str, str] | None = None) -> None:
        self._program = find_program()
        # It refuses to run as root.
        self.user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-postgres-"))
        if self.user:
            shutil.chown(self.folder, **self.user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        self._data, self._log = self.folder / "data", self.folder / "log"
        set_to = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if fsync else "off",
            "max_connections": "200",
            **(options or {}),
        }
        self._run = [self._program, "-D", self._data]
        self._run += [word for name, value in set_to.items() for word in ("-c", f"{name}={value}")]
        self._server: subprocess.Popen[bytes] | None = None
        make = [self._program.with_name("initdb"), "--auth=trust", f"--username={_USER}", "--encoding=UTF8"]
        subprocess.run([*make, "--no-sync", self._data], check=True, capture_output=True, cwd=self.folder, **self.user)

    def start(self) -> None:
        """Start, recovering from whatever happened before; done once it answers. Raises RuntimeError with its log."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            with self._log.open("ab") as out:
                self._server = subprocess.Popen(self._run, stdout=out, stderr=out, cwd=self.folder, **self.user)
            if self._answers(until):
                return
            # Processes of a killed one may hold its shared memory for a moment longer.
            time.sleep(_LOOK_SECONDS)
        raise self._failed("does not start")

    def crash(self) -> None:
        """SIGKILL to the server and to each of its processes, in the middle of whatever they do."""
        server = self._running()
        for process in (server.pid, *self._children()):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        server.wait()

    def hurt(self, number: int) -> bool:
        """SIGKILL to one of its processes, picked by `number`: it ends all others and recovers by itself, waited for.

        False if there was none to kill. Raises RuntimeError if it does not recover.
        """
        found, begun = self._children(), self._times_ready()
        if not found:
            return False
        try:
            os.kill(found[number % len(found)], signal.SIGKILL)
        except ProcessLookupError:  # it had ended by itself
            return False
        # Another one killed before this would meet the process that recovers, whose death ends the server.
        until = time.monotonic() + _START_SECONDS
        while self._times_ready() == begun:
            if time.monotonic() > until or self._running().poll() is not None:
                raise self._failed("does not recover")
            time.sleep(_LOOK_SECONDS)
        return True

    def new_schema(self) -> str:
        """The address of an empty schema: as good as a database to whoever sees nothing else, and made in no time."""
        name = f"s{secrets.token_hex(6)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.address}?options=-csearch_path%3D{name}"

    def execute(self, statement: str) -> None:
        """Run a statement that needs no transaction."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def remove(self) -> None:
        """End it at once, without writing anything back, and delete it."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            try:
                self._server.wait(30)
            except subprocess.TimeoutExpired:
                self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self, until: float) -> bool:
        """Whether it answers before `until`; False once it has ended."""
        while time.monotonic() < until and self._running().poll() is None:
            try:
                psycopg.connect(self.address, connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(_LOOK_SECONDS)
            else:
                return True
        return False

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._server is None:
            raise RuntimeError("the server was never started")
        return self._server

    def _times_ready(self) -> int:
        return self._log.read_bytes().count(b"database system is ready to accept connections")

    def _failed(self, how: str) -> RuntimeError:
        return RuntimeError(f"PostgreSQL {how}:\n{self._log.read_text(errors='replace')[-2_000:]}")

    def _children(self) -> list[int]:
        pid = self._running().pid
        try:
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []


def find_program() -> Path:
    """The newest server program there is. Raises NoPostgres."""
    found = [shutil.which("postgres"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")))]
    program = next((Path(path).resolve() for path in found if path), None)
    if program is None:
        raise NoPostgres
    return program
