"""A service under load that erases people, what it knew of them, and a scanner for what is left of that in files."""

import base64
import random
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from encode.errors import CountersignError
from encode.sample import ImageSample, Modality, Sample
from enroll.keys.envelope import KEY_BYTES, OVERHEAD, Cipher, NotSealedSo
from enroll.keys.ring import LocalKey
from enroll.sample_form import sample_to_bytes
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import people, samples, template_versions, templates
from enroll.stores.sql import SqlStore
from fuzzing.pictures import face
from fuzzing.service import MODELS, a_signature
from verify.client.client import Client
from verify.model import Model, load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import enrollment_pb2 as pb

ERASED, KEPT = tuple(f"erased person {n}" for n in range(4)), ("kept person 0", "kept person 1")
WINDOW = 8
WRAPPED = KEY_BYTES + OVERHEAD
TABLES = (people, templates, template_versions, samples)


@dataclass
class Known:
    """What was known of one person while enrolled: everything that must be nowhere afterwards.

    Attributes
    ----------
    biometric : name → bytes: embeddings as float16, 32 and 64, samples as they were sent and as they were kept.
    data_key : 32 bytes. wrapped : as the key store held it. rows : of every table of the data, as dictionaries.
    """

    person: str
    key_ref: str
    data_key: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    biometric: dict[str, bytes] = field(repr=False)
    rows: dict[str, list[dict[str, Any]]] = field(repr=False)

    def secrets(self) -> dict[str, bytes]:
        """Everything to look for in the clear, as bytes, and written in hex and base64."""
        plain = {**self.biometric, "data key": self.data_key, "wrapped key": self.wrapped}
        return {
            **plain,
            **{f"{name} in hex": data.hex().encode() for name, data in plain.items()},
            **{f"{name} in base64": base64.b64encode(data) for name, data in plain.items()},
        }


class Scanner:
    """Finds every run of 15 bytes and more that files share with secrets, 30 where they are written in hex.

    Of a secret every window of 8 bytes is known, of a file every eighth is looked at: a run of 15 holds one of those.
    Windows of few different bytes, and those of `common` content, say nothing and are left out.
    """

    def __init__(self, secrets: Mapping[str, bytes], common: Iterable[bytes] = ()) -> None:
        self._secrets = dict(secrets)
        known = np.unique(np.concatenate([_windows(secret) for secret in self._secrets.values()]))
        usual = np.unique(np.concatenate([_windows(data) for data in common] or [known[:0]]))
        telling = known[np.array([len(set(int(one).to_bytes(WINDOW, "little"))) >= 6 for one in known], bool)]
        self._known = np.setdiff1d(telling, usual)

    def found_in(self, files: Iterable[Path]) -> list[tuple[str, str]]:
        """File and secret of every run."""
        found: list[tuple[str, str]] = []
        for file in files if len(self._known) else ():
            data = file.read_bytes()
            aligned = np.frombuffer(data[: len(data) // WINDOW * WINDOW], np.uint64)
            near = np.searchsorted(self._known, aligned).clip(max=len(self._known) - 1)
            for at in (np.flatnonzero(self._known[near] == aligned) * WINDOW).tolist():
                window = data[at : at + WINDOW]
                # Eight digits of hex are met by chance.
                found += [
                    (file.name, name)
                    for name, secret in self._secrets.items()
                    if window in secret and _run(data, at, secret) >= (30 if name.endswith("in hex") else 15)
                ]
        return found


def _run(data: bytes, at: int, secret: bytes) -> int:
    """How many bytes the two share around the window of `data` at `at`."""
    where = secret.find(data[at : at + WINDOW])
    before = after = 0
    while before < min(at, where) and data[at - before - 1] == secret[where - before - 1]:
        before += 1
    while at + after < len(data) and where + after < len(secret) and data[at + after] == secret[where + after]:
        after += 1
    return before + after


def _windows(data: bytes) -> NDArray[np.uint64]:
    parts = [np.frombuffer(data[at : at + (len(data) - at) // WINDOW * WINDOW], np.uint64) for at in range(WINDOW)]
    return np.concatenate(parts)


def _samples(number: int) -> list[Sample]:
    """Noise, so that a run of one person's bytes is nobody else's."""
    pixels = [face(1_000 + number, shot) for shot in range(3)]
    return [*(ImageSample(data) for data in pixels), *(a_signature(1_000 + number, shot) for shot in range(3))]


def _known(store: SqlStore, person: str, sent: list[Sample]) -> Known:
    biometric = {}
    for template in store.get("staff", person):
        for kind in (np.float16, np.float32, np.float64):
            name = f"{template.modality.value} embeddings as {np.dtype(kind).name}"
            with np.errstate(over="ignore"):
                biometric[name] = template.references.astype(kind).tobytes()
    for index, sample in enumerate(sent):
        biometric[f"sample {index} as kept"] = sample_to_bytes(sample)
        if isinstance(sample, ImageSample):
            biometric[f"sample {index}"] = sample.data
        else:
            biometric[f"sample {index}"] = np.array([sample.x, sample.y], np.float32).tobytes()
    with store.database.reading() as connection:
        rows = {
            table.name: [
                row._asdict() for row in connection.execute(select(table).where(table.c.person == person)).all()
            ]
            for table in TABLES
        }
    ref = rows["people"][0]["key_ref"]
    key, wrapped = store.keys.get(ref), store.keys.wrapped(ref)
    assert key is not None
    assert wrapped is not None
    return Known(person, ref, key.key, wrapped[1], biometric, rows)


@dataclass
class Erasures:
    """People erased under load, those who stayed, and the receipts."""

    erased: list[Known]
    kept: list[Known]
    receipts: list[pb.ErasureReceipt]

    def scanner(self) -> Scanner:
        """For everything of the erased that is nobody else's, PNG's own bytes for example."""
        secrets = {f"{one.person}: {name}": data for one in self.erased for name, data in one.secrets().items()}
        return Scanner(secrets, common=[data for one in self.kept for data in one.secrets().values()])


@pytest.fixture(scope="session")
def small_models() -> Mapping[Modality, Model]:
    return load_models(list(MODELS), threads=1)


@pytest.fixture
def erase_under_load(small_models: Mapping[Modality, Model]) -> Callable[..., Erasures]:
    """``erase_under_load(place, before)``: a service enrolls, verifies and erases; `before(store)` just before that."""

    def run(place: StorePlace, before: Callable[[SqlStore], None], after: Callable[[SqlStore], None]) -> Erasures:
        with closing(open_sql_store(place)) as store:
            store.configure("staff", CollectionSettings(keep_samples=True))
            settings = ServiceSettings(port=0, threads=1)
            with serving(small_models, store, settings) as address, Client(address, timeout=120) as client:
                sent = {person: _samples(number) for number, person in enumerate((*ERASED, *KEPT))}
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda person: client.enroll("staff", person, sent[person]), sent))
                    # A second version of each template, so that there are rows of earlier ones.
                    list(pool.map(lambda person: client.enroll("staff", person, sent[person][:1]), sent))
                known = {person: _known(store, person, sent[person]) for person in sent}
                before(store)
                with _load(client, sent), ThreadPoolExecutor(3) as pool:
                    receipts = list(pool.map(lambda person: client.delete_person("staff", person), ERASED))
                after(store)
        return Erasures([known[one] for one in ERASED], [known[one] for one in KEPT], receipts)

    return run


@contextmanager
def _load(client: Client, sent: Mapping[str, list[Sample]]) -> Iterator[None]:
    """Claims, and enrolments of those who stay, while the block runs."""
    going = True

    def work(number: int) -> None:
        draw = random.Random(number)
        while going:
            person = draw.choice(tuple(sent))
            try:
                client.verify("staff", person, [sent[person][0]])
                client.enroll("staff", draw.choice(KEPT), [sent[KEPT[0]][1]])
            except CountersignError:
                continue  # erased meanwhile

    with ThreadPoolExecutor(3) as pool:
        busy = [pool.submit(work, number) for number in range(3)]
        try:
            yield
        finally:
            going = False
            for one in busy:
                one.result()


@pytest.fixture
def scanner() -> type[Scanner]:
    return Scanner


@pytest.fixture
def data_keys_in() -> Callable[..., dict[str, int]]:
    """``data_keys_in(files, refs, keys)``: how many data keys of each reference some stretch gives up to some key."""

    def find(files: Iterable[Path], refs: Iterable[str], keys: Iterable[LocalKey]) -> dict[str, int]:
        found: dict[str, set[bytes]] = {ref: set() for ref in refs}
        for data in (file.read_bytes() for file in files):
            # Sealed bytes begin with their format's number.
            starts = np.flatnonzero(np.frombuffer(data, np.uint8) == 1)
            for at in starts.tolist():
                stretch = data[at : at + WRAPPED]
                # A nonce and a ciphertext are as good as random: nothing else is tried.
                if len(stretch) < WRAPPED or len(set(stretch)) < 24:
                    continue
                for ref in found:
                    for key in keys:
                        try:
                            found[ref].add(key.unwrap(stretch, ref))
                        except NotSealedSo:
                            continue
        return {ref: len(opened) for ref, opened in found.items()}

    return find


@pytest.fixture
def opens() -> Callable[[Known, bytes], list[str]]:
    """``opens(known, key)``: which of a person's sealed rows a key opens, tried with all that they were sealed for."""

    def tried(known: Known, key: bytes) -> list[str]:
        cipher, found = Cipher(key), []
        for table, rows in known.rows.items():
            for row in rows:
                for parts in _parts_of(table, row):
                    try:
                        cipher.open(row.get("payload") or row["state"], *parts)
                    except NotSealedSo:
                        continue
                    found.append(table)
        return found

    return tried


def _parts_of(table: str, row: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the rows of a table are sealed for; see enroll.stores.sealed."""
    owner = (row["collection"], row["person"])
    if table == "people":
        return [("person", *owner, row["revision"])]
    if table == "samples":
        at = row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)
        return [("sample", *owner, row["modality"], row["sample_id"], at.astimezone(UTC).isoformat())]
    held = (*owner, row["modality"], row["model_digest"], row["template_id"], row["version"])
    return [("template", *held, row["reason"]), ("template", *held)]


@pytest.fixture
def dump(tmp_path: Path) -> Callable[[str, str], Path]:
    """``dump(address, name)``: a pg_dump of a database."""

    def make(address: str, name: str) -> Path:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
        schema = address.rpartition("search_path%3D")[2]
        file = tmp_path / name
        plain = address.partition("?")[0]
        words = [str(programs[-1]) if programs else "pg_dump", "--schema", schema, "--file", str(file), plain]
        subprocess.run(words, check=True, capture_output=True)
        return file

    return make
