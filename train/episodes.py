"""Episodes: a few writers enrolled and probed within one batch, as in service.

Of every writer: references and genuine probes, the latter from another session now and then where the corpus has two;
real skilled forgeries, some of them quickened; forgeries made by distortion; and references of other writers as random
impostors. Forgeries are probes and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encode.errors import TrainingError
from encode.pen_frames import padded
from train.pen_variation import Distortion, Trace, distorted, quickened
from train.pen_writer import InventedWriter, PenVariation, finished, once_more

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class EpisodeConfig:
    """What an episode holds: `writers`, and of each the counts below; `across` is the share of probes from elsewhen."""

    writers: int = 6
    references: int = 4
    genuine: int = 3
    forgeries: int = 4
    distorted: int = 2
    random: int = 3
    across: float = 0.6

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        least = min(self.references - 1, self.genuine, self.forgeries, self.distorted, self.random)
        if least < 1 or self.writers <= self.random:
            raise ValueError("an episode needs two references, one of each probe, and more writers than random probes")

    @property
    def own(self) -> int:
        """Signatures of one writer in the batch: references, then genuine, forged, distorted."""
        return self.references + self.genuine + self.forgeries + self.distorted

    @property
    def probes(self) -> int:
        """Probes of one writer: genuine, forged, distorted, random."""
        return self.genuine + self.forgeries + self.distorted + self.random

    @cached_property
    def reference_rows(self) -> Rows:
        """int64 (W, R): where in the batch each writer's references are."""
        return np.arange(self.writers)[:, None] * self.own + np.arange(self.references)

    @cached_property
    def probe_rows(self) -> Rows:
        """int64 (W, P): each writer's probes; random ones are references of the writers that follow."""
        writers = np.arange(self.writers)[:, None]
        own = writers * self.own + np.arange(self.references, self.own)
        others = np.arange(self.random)
        follow = (writers + 1 + others) % self.writers * self.own + others % self.references
        return np.concatenate([own, follow], 1)


@dataclass(frozen=True)
class Writer:
    """Rows of one training writer, and the corpus's session of each genuine row (None where it has none)."""

    genuine: Rows
    sessions: tuple[str | None, ...]
    forgeries: Rows
    weight: float = 1.0


class EpisodeSampler:
    """Draws the episode of a step; it follows from (seed, step) alone.

    Parameters
    ----------
    traces : one (4, n) a row.
    writers : those with at least two genuine signatures are used.
    """

    def __init__(
        self,
        traces: Sequence[Trace],
        writers: Sequence[Writer],
        config: EpisodeConfig,
        variation: PenVariation,
        *,
        seed: int,
    ) -> None:
        self._writers = [writer for writer in writers if len(writer.genuine) >= 2]
        if len(self._writers) < config.writers:
            raise TrainingError(
                f"{len(self._writers)} writers with two signatures, an episode needs {config.writers}",
                field="episodes.writers",
            )
        self._traces, self._config, self._variation, self._seed = traces, config, variation, seed
        weights = np.array([writer.weight for writer in self._writers])
        self._shares = weights / weights.sum()

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Frames float32 (W·own, 5, T) as the network reads them, and their lengths int64 (W·own,)."""
        generator = np.random.default_rng((self._seed, step))
        chosen = generator.choice(len(self._writers), self._config.writers, replace=False, p=self._shares)
        written = [trace for index in chosen for trace in self._of(self._writers[index], generator)]
        return packed(written)

    def _of(self, writer: Writer, generator: np.random.Generator) -> list[Trace]:
        config, variation = self._config, self._variation
        invented = InventedWriter.drawn(variation, generator)
        genuine = self._genuine(writer, generator)
        forged = generator.permutation(writer.forgeries)[: config.forgeries]
        length = float(np.median([self._traces[row].shape[1] for row in genuine]))
        found = [once_more(invented.written(self._traces[row], generator), variation, generator) for row in genuine]
        for row in forged:
            trace = self._traces[row]
            if generator.random() < variation.quickened:
                trace = quickened(trace, length, generator)
            found.append(once_more(invented.written(trace, generator), variation, generator))
        for row in generator.choice(writer.genuine, config.forgeries - len(forged) + config.distorted):
            own = invented.written(self._traces[row], generator)
            found.append(distorted(own, Distortion.forgery(generator), generator))
        return [finished(trace, invented, variation, generator) for trace in found]

    def _genuine(self, writer: Writer, generator: np.random.Generator) -> Rows:
        """References first, then genuine probes; repeated where the writer has too few."""
        config = self._config
        order = generator.permutation(len(writer.genuine))
        sessions = sorted({session for session in writer.sessions if session is not None})
        if len(sessions) > 1 and generator.random() < config.across:
            first = np.array([index for index in order if writer.sessions[index] == sessions[0]], np.int64)
            later = np.array([index for index in order if writer.sessions[index] != sessions[0]], np.int64)
            if len(first) >= config.references and len(later) >= config.genuine:
                order = np.concatenate([first[: config.references], later])
        wanted = config.references + config.genuine
        if len(order) < wanted:
            order = np.concatenate([order, generator.choice(order, wanted - len(order))])
        return writer.genuine[order[:wanted]]


def packed(traces: Sequence[Trace]) -> tuple[Tensor, Tensor]:
    """Traces (4, n) → frames float32 (N, 5, T), T the longest rounded up to 8, and lengths (N,)."""
    lengths = np.array([trace.shape[1] for trace in traces])
    longest = -(-int(lengths.max()) // 8) * 8
    return torch.from_numpy(np.stack([padded(trace, longest) for trace in traces])), torch.from_numpy(lengths)
