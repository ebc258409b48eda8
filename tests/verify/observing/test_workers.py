"""Several processes behind one port: their counts add up, and a process that has died freezes nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from verify.observing.workers import SharedCounts, shared_counts
from verify.settings import ServiceSettings

WORKER = """
import sys
from encode.sample import Modality
from verify.observing.counting import counting
from verify.settings import ServiceSettings

with counting(ServiceSettings(metrics_port=0)) as metrics:
    for _ in range(int(sys.argv[1])):
        metrics.call("verify.v1.VerificationService/Verify", "OK", 0.004)
    metrics.batch(Modality.FACE, 2)
    metrics.queue(waiting=int(sys.argv[1]), working=1)
    metrics.gallery(int(sys.argv[1]), ready=sys.argv[2] == "ready")
    print("counted", flush=True)
    sys.stdin.read()
"""


class Worker:
    """A process that has counted `calls`, and lives until told to end."""

    def __init__(self, shared: SharedCounts, calls: int, ready: str = "ready") -> None:
        import os

        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(calls), ready],
            env={**os.environ, **shared.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "counted\n"

    def kill(self) -> int:
        self.process.kill()
        self.process.communicate()
        return self.process.pid


@pytest.fixture
def shared() -> Iterator[SharedCounts]:
    with shared_counts(ServiceSettings(metrics_port=0, workers=2)) as counts:
        yield counts


def read(shared: SharedCounts) -> dict[str, float]:
    """Every series by its line, without the histograms' limits."""
    with urlopen(f"http://127.0.0.1:{shared.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    series = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name.partition("{")[0] if "le=" not in name else name: float(value) for name, _, value in series}


def test_counts_of_all_add_up(shared: SharedCounts) -> None:
    workers = [Worker(shared, 3), Worker(shared, 4)]
    try:
        told = read(shared)
    finally:
        for worker in workers:
            worker.kill()
    assert told["countersign_requests_total"] == 7
    assert told["countersign_request_duration_seconds_count"] == 7
    assert told["countersign_batch_size_sum"] == 4
    assert (told["countersign_queue_waiting"], told["countersign_queue_working"]) == (7, 2)
    assert told["countersign_build_info"] == 1


def test_every_process_searches_the_same_gallery(shared: SharedCounts) -> None:
    """So that its size is no sum, and it is ready when the last is."""
    workers = [Worker(shared, 5), Worker(shared, 5, "loading")]
    try:
        told = read(shared)
    finally:
        for worker in workers:
            worker.kill()
    assert (told["countersign_gallery_people"], told["countersign_gallery_ready"]) == (5, 0)


def test_what_the_dead_had_waiting_is_forgotten_and_what_they_counted_is_not(shared: SharedCounts) -> None:
    lasting, dying = Worker(shared, 3), Worker(shared, 4)
    try:
        shared.forget(dying.kill())
        told = read(shared)
        assert (told["countersign_queue_waiting"], told["countersign_requests_total"]) == (3, 7)
        successor = Worker(shared, 1)
        told = read(shared)
        successor.kill()
    finally:
        lasting.kill()
    assert (told["countersign_queue_waiting"], told["countersign_requests_total"]) == (4, 8)


def test_the_folder_is_private_and_goes_with_the_parent() -> None:
    with shared_counts(ServiceSettings(metrics_port=0)) as shared:
        [folder] = map(Path, shared.environment.values())
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_without_a_port_there_is_no_folder_and_nothing_to_forget() -> None:
    with shared_counts(ServiceSettings()) as shared:
        assert (dict(shared.environment), shared.port) == ({}, None)
        shared.forget(1)
