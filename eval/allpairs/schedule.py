"""Who works on the tasks: threads of this process, or a Dask cluster. The same task function, the same sketches.

The products of one task run in one thread; numpy's BLAS is told not to start threads of its own, which would compete
with the workers for the processors.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from encode.errors import ConfigError
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.task import Work, run_task

Task = Callable[[Work, int], ScoreSketch]

SECONDS_TO_CONNECT = 30

_GO_ON = "finished parts are kept: give the same command again, with workers there, or without --scheduler"


def sketches(
    work: Work, groups: Iterable[int], *, workers: int = 1, scheduler: str | None = None, task: Task = run_task
) -> Iterator[ScoreSketch]:
    """The sketch of each of `groups`, as they are finished.

    Parameters
    ----------
    workers : threads of this process; no use with a scheduler.
    scheduler : address of a Dask scheduler, ``tcp://host:8786``; its workers must have this package installed.
    task : what is done; another one only where a test slows it down.

    Raises
    ------
    ConfigError if the address is none, the scheduler cannot be reached, or it or all of its workers are lost on the
    way.
    """
    return _on_cluster(work, groups, scheduler, task) if scheduler else _in_threads(work, groups, workers, task)


def _in_threads(work: Work, groups: Iterable[int], workers: int, task: Task) -> Iterator[ScoreSketch]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(task, work, group) for group in groups]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(work: Work, groups: Iterable[int], scheduler: str, task: Task) -> Iterator[ScoreSketch]:
    from distributed import CancelledError, Client, KilledWorker
    from distributed import as_completed as as_finished

    if not re.fullmatch(r"(\w+://)?\S+:\d+/?", scheduler):
        raise ConfigError(f"{scheduler} is no address", field="scheduler", fix="write one such as tcp://host:8786")
    try:
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except OSError as error:
        raise ConfigError(
            f"no Dask scheduler answers at {scheduler}", field="scheduler", fix="start one with `dask scheduler`"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise ConfigError(
                f"the Dask scheduler at {scheduler} has no workers", field="scheduler", fix="start `dask worker`s"
            )
        # A copy with every worker: a worker that is lost takes nothing along that is not elsewhere.
        data = client.scatter(work, broadcast=True)
        futures = [client.submit(_alone, task, data, group, pure=False) for group in groups]
        try:
            for future in as_finished(futures, loop=client.loop):
                yield future.result()
                future.release()
        except (CancelledError, KilledWorker, OSError) as error:  # the work went with the last worker that held it
            raise ConfigError(
                f"the Dask scheduler at {scheduler} was lost, or all of its workers", field="scheduler", fix=_GO_ON
            ) from error


def _alone(task: Task, work: Work, group: int) -> ScoreSketch:
    """A task in a worker's process, whose BLAS is held to one thread from the first task on."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")
    return task(work, group)
