"""Workers, interruptions and clusters: whoever does the work, the sketch is the same bit by bit."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from encode.errors import ConfigError, TrialsError
from eval.allpairs.kernel import settle
from eval.allpairs.parts import INPUTS, PARTS, Parts, work_digest
from eval.allpairs.prepare import Prepared
from eval.allpairs.run import AllPairs, count_all
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.task import Work, run_task


@pytest.fixture(scope="module")
def run(make_people: Callable[..., Any]) -> Prepared:
    people = make_people(people=40, samples=5)
    return people.prepared(people.model("map"), references=3, draws=2, tail=1000)


@pytest.fixture(scope="module")
def expected(run: Prepared, counted: Callable[[Prepared], ScoreSketch]) -> ScoreSketch:
    return counted(run)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_counts_the_same(run: Prepared, expected: ScoreSketch, workers: int) -> None:
    assert expected.comparisons > 10_000
    assert not expected.highest.is_complete
    assert count_all(run, AllPairs(workers=workers)) == expected


def test_counts_are_settled_before_they_overflow(
    run: Prepared, expected: ScoreSketch, counted: Callable[[Prepared], ScoreSketch], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[int] = []

    def noted(*arrays: Any) -> None:
        settled.append(int(arrays[0].sum()))
        settle(*arrays)

    monkeypatch.setattr("eval.allpairs.task.MOST_COUNTED", 300)
    monkeypatch.setattr("eval.allpairs.task.SAMPLES", 50)
    monkeypatch.setattr("eval.allpairs.task.settle", noted)
    found = counted(run)
    assert found.trials.tolist() == expected.trials.tolist()
    assert found.acting.sum(axis=1).tolist() == expected.acting.sum(axis=1).tolist()
    assert len(settled) > run.work.groups
    assert max(settled) <= 300


def test_a_run_goes_on_where_it_was_interrupted(run: Prepared, expected: ScoreSketch, tmp_path: Path) -> None:
    done: list[int] = []

    def interrupted(work: Work, group: int) -> ScoreSketch:
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(group)
        return run_task(work, group)

    with pytest.raises(KeyboardInterrupt):
        count_all(run, AllPairs(), parts=Parts(tmp_path, run.work), task=interrupted)
    kept = sorted((tmp_path / PARTS).glob("*.part"))
    assert 0 < len(kept) <= 7

    # One of them is damaged since: it is worked out again.
    data = bytearray(kept[0].read_bytes())
    data[-1] ^= 1
    kept[0].write_bytes(data)
    shown: list[tuple[int, int]] = []
    again: list[int] = []

    def noted(work: Work, group: int) -> ScoreSketch:
        again.append(group)
        return run_task(work, group)

    parts = Parts(tmp_path, run.work)
    sketch = count_all(run, AllPairs(), parts=parts, progress=lambda *at: shown.append(at), task=noted)
    assert sketch == expected
    assert len(again) == run.work.groups - (len(kept) - 1)
    assert 0 < shown[0][0] < shown[-1][0] == shown[-1][1]
    parts.remove()
    assert not (tmp_path / PARTS).exists()


def test_parts_of_other_inputs_are_refused(run: Prepared, make_people: Callable[..., Any], tmp_path: Path) -> None:
    parts = Parts(tmp_path, run.work)
    parts.write(run_task(run.work, 0))
    people = make_people(people=40, samples=5)
    others = [
        people.prepared(people.model("map"), references=3, draws=2, tail=1001),
        people.prepared(people.model("map"), references=3, draws=2, tail=1000, seed=1),
        people.prepared(people.model("pooled"), references=3, draws=2, tail=1000),
    ]
    people.embeddings[0, 0] += 1e-3
    others.append(people.prepared(people.model("map"), references=3, draws=2, tail=1000))
    for other in others:
        with pytest.raises(TrialsError, match="holds parts of a run with other embeddings, bundle or options"):
            Parts(tmp_path, other.work)
    assert len({work_digest(other.work) for other in others}) == 4
    assert next(iter(parts.finished())) == run_task(run.work, 0)
    (tmp_path / PARTS / INPUTS).write_text("{}")
    with pytest.raises(TrialsError, match="remove the folder"):
        Parts(tmp_path, run.work)


def test_a_folder_that_cannot_be_written_is_a_typed_error(run: Prepared, tmp_path: Path) -> None:
    (tmp_path / PARTS).write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be kept"):
        Parts(tmp_path, run.work)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes on this machine, each started again if it dies."""
    import logging

    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as started:
        yield started


def test_a_cluster_counts_the_same(run: Prepared, expected: ScoreSketch, cluster: Any) -> None:
    assert count_all(run, AllPairs(scheduler=cluster.scheduler_address)) == expected


def test_a_worker_that_is_killed_costs_time_and_no_counts(run: Prepared, expected: ScoreSketch, cluster: Any) -> None:
    def slowly(work: Work, group: int) -> ScoreSketch:
        time.sleep(0.05)
        return run_task(work, group)

    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if 0 < done < total and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    choice = AllPairs(scheduler=cluster.scheduler_address)
    assert count_all(run, choice, progress=kill_one, task=slowly) == expected
    assert killed


def test_a_cluster_without_workers_left_says_how_to_go_on(
    run: Prepared, expected: ScoreSketch, cluster: Any, tmp_path: Path
) -> None:
    def slowly(work: Work, group: int) -> ScoreSketch:
        time.sleep(0.05)
        return run_task(work, group)

    def kill_all(done: int, total: int) -> None:
        if 0 < done < total:
            for worker in cluster.workers.values():
                if worker.pid:
                    os.kill(worker.pid, signal.SIGKILL)

    choice = AllPairs(scheduler=cluster.scheduler_address)
    with pytest.raises(ConfigError, match="was lost, or all of its workers") as caught:
        count_all(run, choice, parts=Parts(tmp_path, run.work), progress=kill_all, task=slowly)
    assert "finished parts are kept" in str(caught.value)
    again: list[int] = []

    def noted(work: Work, group: int) -> ScoreSketch:
        again.append(group)
        return run_task(work, group)

    assert count_all(run, AllPairs(), parts=Parts(tmp_path, run.work), task=noted) == expected
    assert 0 < len(again) < run.work.groups


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "127.0.0.1:eight"])
def test_what_is_no_address_is_told_at_once(run: Prepared, address: str) -> None:
    with pytest.raises(ConfigError, match="is no address") as caught:
        count_all(run, AllPairs(scheduler=address))
    assert caught.value.field == "scheduler"


def test_a_scheduler_that_is_not_there_is_a_typed_error(run: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.allpairs.schedule.SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        count_all(run, AllPairs(scheduler="tcp://127.0.0.1:9"))
