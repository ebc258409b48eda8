"""A `countersign serve` of its own to be attacked: started, watched, asked at the end whether it is well."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from encode.sample import ImageSample, StrokesSample
from enroll.access.grants import Grant, Grants
from enroll.access.tokens import TokenStore
from enroll.stores.opening import StorePlace, open_sql_store
from fuzzing.pens import signature
from fuzzing.pictures import face
from verify.client.channel import ClientTls
from verify.client.client import Client
from verify.tls.certificates import write_key_pair

ROOT = Path(__file__).resolve().parents[2]
MODELS = (ROOT / "models" / "face-chopra2005", ROOT / "models" / "signature-bromley1993")
START_SECONDS = 60.0
VAULT, KEEPER = "vault", "keeper"
"""Somebody no request names, who must be verified at the end as at the start."""

_SCOPES = (
    ("verify:*", "enroll:*", "admin:*"),
    ("verify:staff",),
    ("enroll:staff", "verify:staff"),
    ("admin:staff",),
    ("verify:visitors", "enroll:visitors"),
)


@dataclass(frozen=True)
class Target:
    """A service under attack.

    Attributes
    ----------
    ca : the PEM file to trust; None for plaintext.
    tokens : texts of tokens that open something, the first one everything; empty where none is asked for.
    """

    name: str
    process: subprocess.Popen[bytes]
    port: int
    ca: Path | None
    tokens: tuple[str, ...]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def resident_kib(self) -> int:
        """Memory of the process that is in RAM, in KiB (Linux)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    @contextmanager
    def client(self) -> Iterator[Client]:
        tls = None if self.ca is None else ClientTls(ca=self.ca)
        token = self.tokens[0] if self.tokens else None
        with Client(f"localhost:{self.port}", timeout=60, token=token, tls=tls) as client:
            yield client

    def settle(self) -> None:
        """Enroll who is verified at the end, and some of those whom requests name."""
        with self.client() as client:
            for collection, person, number in ((VAULT, KEEPER, 99), ("staff", "ada", 1), ("staff", "bob", 2)):
                client.enroll(collection, person, [*_faces(number, range(5)), *_signatures(number, range(5))])

    def well(self) -> list[str]:
        """What is wrong with it: nothing, if health says SERVING and the keeper is still told from a stranger."""
        found = []
        with self.client() as client:
            if not client.healthy():
                found.append("health does not say SERVING")
            if not client.verify(VAULT, KEEPER, _faces(99, [7])).accepted:
                found.append("a valid claim is rejected")
            if client.verify(VAULT, KEEPER, _faces(98, [7])).accepted:
                found.append("a false claim is accepted")
        return found


@contextmanager
def attacked(folder: Path, name: str, *, closed: bool) -> Iterator[Target]:
    """A service on loopback: with TLS and tokens if `closed`, else in the clear for everybody. It ends by SIGTERM."""
    folder.mkdir()
    database, log = folder / "people.sqlite", folder / "service.log"
    words = ["serve", "--port", "0", "--database", str(database), "--threads", "1", "--log-level", "debug"]
    for model in MODELS:
        words += ["--models", str(model)]
    tokens, ca = (), None
    if closed:
        ca, key = folder / "cert.pem", folder / "key.pem"
        write_key_pair(ca, key, ["localhost", "127.0.0.1"])
        tokens = _tokens(database)
        words += ["--tls-cert", str(ca), "--tls-key", str(key), "--access", "tokens", "--calls-per-second", "5000"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "countersign", *words], stderr=out, cwd=ROOT, env=environment)
    try:
        yield Target(name, process, _port(process, log), ca, tokens, log)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _tokens(database: Path) -> tuple[str, ...]:
    with closing(open_sql_store(StorePlace(str(database)))) as store:
        made = TokenStore(store.database, store.keys)
        return tuple(
            made.create(f"caller {number}", Grants.of(map(Grant.parse, scopes)), lifetime=timedelta(days=1))[0]
            for number, scopes in enumerate((_SCOPES[0], *_SCOPES))
        )


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            if '"serving"' in line and line.endswith("}"):
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start:\n{log.read_text()}")


def _faces(person: int, shots: range | list[int]) -> list[ImageSample]:
    return [ImageSample(face(person, shot)) for shot in shots]


def _signatures(person: int, shots: range) -> list[StrokesSample]:
    return [a_signature(person, shot) for shot in shots]


def a_signature(person: int, shot: int) -> StrokesSample:
    """A signature of person number `person` as a sample."""
    lists = signature(person, shot)
    points = (tuple(lists[name]) for name in ("x", "y", "t_ms", "pressure"))
    return StrokesSample(*points, tuple(bool(down) for down in lists["pen_down"]))
