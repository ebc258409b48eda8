"""One run on several processes (torchrun): every process embeds its share of the batch, and all see the whole of it.

    rows of step n → process r takes every world-th of them → embeddings → gathered → the loss of the whole batch

Contrastive losses compare samples with each other, so a loss on each process's own share would have fewer negatives
with every process added. Gathering keeps the batch what the recipe says. The gradient of a gathered embedding is the
sum over the processes' equal losses; `DistributedDataParallel` takes the mean over processes, and so the step is that
of one process. Batch normalisation alone differs: its statistics are those of each process's share.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from encode.errors import TrainingError


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run; the first writes checkpoint, curve and bundle."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """The rows (B,) that this process embeds: every `world`-th, or all of them where there is one process.

        Raises TrainingError if the batch cannot be divided evenly.
        """
        if len(rows) % self.world:
            raise TrainingError(
                f"a batch of {len(rows)} samples cannot be divided among {self.world} processes",
                field="batch",
                fix="choose people × samples as a multiple of the number of processes",
            )
        return rows[self.rank :: self.world]

    def gathered(self, mine: Tensor) -> Tensor:
        """The embeddings of the whole batch (B, D) in the order of its rows, from each process's (B / world, D)."""
        if self.world == 1:
            return mine
        whole: Tensor = _Gathered.apply(mine, self)
        return whole

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are the mean over all processes."""
        if self.world == 1:
            return network
        # Some losses leave a part of the network unused, such as the frames of an encoder of pen strokes.
        return nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            distributed.barrier()

    def agreed(self, value: Tensor) -> Tensor:
        """The first process's value, in every process."""
        if self.world > 1:
            distributed.broadcast(value, 0)
        return value


class _Gathered(torch.autograd.Function):
    """All processes' rows in the order of the batch; its gradient is summed over the processes."""

    @staticmethod
    def forward(context: Any, mine: Tensor, ranks: Ranks) -> Tensor:
        context.ranks = ranks
        found = [torch.empty_like(mine) for _ in range(ranks.world)]
        distributed.all_gather(found, mine.contiguous())
        return torch.stack(found, dim=1).flatten(0, 1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        whole = gradients[0].contiguous().clone()
        distributed.all_reduce(whole)
        return whole[context.ranks.rank :: context.ranks.world], None


def require_alone(what: str) -> None:
    """Raise TrainingError under torchrun: each of its processes would do all of `what`, in one folder."""
    if distributed.is_torchelastic_launched():
        raise TrainingError(f"{what} is no work for torchrun", field="torchrun", fix="run it without, with --jobs")


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that torchrun started, joined over gloo; a run of one where it started none.

    Raises TrainingError where torchrun's variables are there and the processes cannot join.
    """
    if not distributed.is_torchelastic_launched():
        yield Ranks()
        return
    try:
        distributed.init_process_group("gloo")
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the processes cannot join: {error}", field="torchrun") from error
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
