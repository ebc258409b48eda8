"""A full disk: plain words, nothing answered that is not stored, and no restart once there is room again.

The real service is on a small file system of its own, or may write no byte beyond what its files hold (EFBIG in the
place of ENOSPC), which needs no privilege. PostgreSQL has its tables on a small file system.
"""

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from durability.places import postgres_place, sqlite_place
from durability.postgres_cluster import NoPostgres, PostgresCluster
from durability.service_process import Place, Service, run
from encode.errors import StoreUnavailable
from encode.sample import ImageSample
from fuzzing.pictures import face
from verify.client.client import Client
from verify.v1 import enrollment_pb2

BUNDLE = Path(__file__).resolve().parents[2] / "models" / "face-chopra2005"
TRIES = 400
SECONDS = 60.0

Fill = Callable[[Service], None]
Free = Callable[[Service], None]


class SmallDisk:
    """A file system of `mebibytes` in memory, mounted on a new folder, with a ballast that fills it."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        options = f"size={mebibytes}m,mode=0777"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "countersign-tests", folder], check=True, capture_output=True
        )

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self) -> None:
        (self.folder / "ballast").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], SmallDisk]]:
    """``small_disk(mebibytes)``; skips where nothing may be mounted."""
    made: list[SmallDisk] = []

    def make(mebibytes: int) -> SmallDisk:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root mounts a small file system")
        try:
            made.append(SmallDisk(tmp_path / f"disk-{len(made)}", mebibytes))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no small file system can be mounted here: {error.stderr.decode().strip()}")
        return made[-1]

    yield make
    for disk in made:
        disk.remove()


def samples(person: int) -> list[ImageSample]:
    return [ImageSample(face(person, shot)) for shot in range(3)]


def first_refusal(call: Callable[[int], object]) -> StoreUnavailable:
    """What `call` is refused with at last: files have some room left in them when their disk is full."""
    for number in range(TRIES):
        try:
            call(number)
        except StoreUnavailable as error:
            return error
    pytest.fail("the disk is full and everything is written")


def holds_out(place: Place, log: Path, fill: Fill, free: Free, words: str) -> None:
    """Fill the disk under a service, hold it to what it answers, and let there be room again."""
    service = Service(place, BUNDLE, log)
    try:
        address, _ = service.ready()
        with Client(address, timeout=SECONDS) as client:
            answered: dict[str, enrollment_pb2.Person] = {}

            def enroll(number: int) -> None:
                person = f"p{number}"
                answered[person] = client.enroll("staff", person, samples(1), request_id=f"r{number}").person

            answered["ada"] = client.enroll("staff", "ada", samples(0)).person
            assert client.verify("staff", "ada", samples(0)[:1]).accepted
            fill(service)

            refusal = first_refusal(enroll)
            assert words in f"{refusal.message} {refusal.fix}"
            refused = f"p{len(answered) - 1}"
            # Whoever is who they claim to be is not let in by a decision that nobody could account for.
            undecided = first_refusal(lambda _: client.verify("staff", "ada", samples(0)[:1]))
            assert words in f"{undecided.message} {undecided.fix}"
            for person, told in answered.items():
                assert client.get_person("staff", person) == told
            assert {one.person for one in client.list_persons("staff")} == answered.keys()

            free(service)
            until = time.monotonic() + SECONDS
            while refused not in answered and time.monotonic() < until:
                try:
                    enroll(int(refused[1:]))
                except StoreUnavailable:
                    time.sleep(0.1)
            assert client.verify("staff", "ada", samples(0)[:1]).accepted
            client.delete_person("staff", "ada")
            del answered["ada"]
            assert {one.person for one in client.list_persons("staff")} == answered.keys()
            assert refused in answered
            for person, told in answered.items():
                assert client.get_person("staff", person) == told
        # The very process that met the full disk.
        assert service.process.poll() is None
        checked = run("audit", "verify", "--json", *place.flags)
        assert json.loads(checked.stdout)["intact"], checked.stderr
        assert service.stop() == 0
    finally:
        service.kill()


def test_sqlite_on_a_full_disk(tmp_path: Path, small_disk: Callable[[int], SmallDisk]) -> None:
    disk = small_disk(4)
    place = sqlite_place(disk.folder / "store")
    holds_out(place, tmp_path / "log", lambda _: disk.fill(), lambda _: disk.free(), "disk")


def test_sqlite_that_may_write_no_further(tmp_path: Path) -> None:
    """Without any privilege: the service's own limit of a file's size, at what its log holds already."""
    place = sqlite_place(tmp_path / "store")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(service: Service) -> None:
        limit = Path(place.database + "-wal").stat().st_size
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))

    def free(service: Service) -> None:
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)

    holds_out(place, tmp_path / "log", fill, free, "room")


@pytest.mark.slow
def test_postgres_on_a_full_disk(tmp_path: Path, small_disk: Callable[[int], SmallDisk]) -> None:
    disk = small_disk(8)
    try:
        cluster = PostgresCluster(fsync=False)
    except NoPostgres:
        pytest.skip("PostgreSQL is not installed")
    # Folders of temporary files are their owner's alone: the server's user must pass.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(cluster.remove)
        cluster.start()
        tables = disk.folder / "tables"
        tables.mkdir()
        if cluster.user:
            shutil.chown(tables, **cluster.user)
        cluster.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
        cluster.execute("ALTER ROLE tests SET default_tablespace = small")
        place = postgres_place(tmp_path / "store", cluster)
        holds_out(place, tmp_path / "log", lambda _: disk.fill(), lambda _: disk.free(), "disk")
