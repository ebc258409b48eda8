"""Signatures for losses on batches: everybody of a batch becomes a writer who does not exist, in every batch another.

    genuine     invented writer → another go of the same hand
    forgery     made as quick as the person, three in four → invented writer → another go
    made        invented writer → distorted: a forgery nobody wrote

`train.episodes` does the same to its episodes. Made forgeries are further rows of the set, so that a sampler that
draws forgeries draws them too, also of people nobody forged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encode.pen_frames import unpadded
from train.episodes import packed
from train.pen_variation import Distortion, Trace, distorted, quickened
from train.pen_writer import InventedWriter, PenVariation, finished, once_more
from train.recipe import Recipe
from train.strokes import StrokeSet

_LENGTH = 8
"""What the length of a batch is a multiple of: the network halves it twice."""


@dataclass(frozen=True)
class PenSet(StrokeSet):
    """As :class:`train.strokes.StrokeSet`, of frames of `encode.pen_frames`.

    Attributes
    ----------
    source : int64 (N,), the view a row is drawn from; more than one row may have the same.
    made : bool (N,), forgeries that are drawn by distorting a genuine signature, their source.
    """

    source: Tensor
    made: Tensor

    def drawn(self, rows: Tensor, recipe: Recipe) -> Tensor:
        """The rows varied as the recipe's `[pen_variation]` says, float32 (B, 5, T), T the longest of them.

        Torch's generator decides.
        """
        generator = np.random.default_rng(int(torch.randint(2**62, ())))
        return packed(list(self._written(rows.numpy(), recipe.pen_variation, generator)))[0]

    def plain(self, rows: Tensor) -> Tensor:
        """The rows as recorded, float32 (B, 5, T), T the longest of them: what is left out is padding."""
        frames = self.views[self.source[rows], 0]
        longest = int((frames[:, 4] > 0.5).sum(1).max())
        return frames[:, :, : -(-longest // _LENGTH) * _LENGTH]

    def _written(
        self, rows: NDArray[np.int64], variation: PenVariation, generator: np.random.Generator
    ) -> Iterator[Trace]:
        labels = self.labels[rows].numpy()
        writers = {int(label): InventedWriter.drawn(variation, generator) for label in dict.fromkeys(labels)}
        for row, label in zip(rows, labels, strict=True):
            writer, trace = writers[int(label)], self._traces[int(self.source[row])]
            if self.made[row]:
                trace = distorted(writer.written(trace, generator), Distortion.forgery(generator), generator)
            else:
                if self.forged[row] and generator.random() < variation.quickened:
                    trace = quickened(trace, self._lengths[label], generator)
                trace = once_more(writer.written(trace, generator), variation, generator)
            yield finished(trace, writer, variation, generator)

    @cached_property
    def _traces(self) -> list[Trace]:
        return traces_of(self)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        """Median frames of each person's genuine signatures, of all signatures for people without any."""
        frames = np.array([trace.shape[1] for trace in self._traces])[self.source.numpy()]
        labels, own = self.labels.numpy(), ~self.forged.numpy()
        found = np.full(len(self.people), np.median(frames))
        for label in np.unique(labels[own]):
            found[label] = np.median(frames[(labels == label) & own])
        return found


def pen_set(strokes: StrokeSet, made: float = 0.0) -> PenSet:
    """`strokes`, and made forgeries: of a person who was forged so many that they are the share `made` (0 … 1) of all
    forgeries, of everybody else one a genuine signature; none at all for 0."""
    labels, forged = strokes.labels.numpy(), strokes.forged.numpy()
    extra = [np.zeros(0, np.int64)]
    if made > 0.0:
        for label in np.unique(labels[~forged]):
            own = np.flatnonzero((labels == label) & ~forged)
            real = np.count_nonzero((labels == label) & forged)
            extra.append(np.resize(own, round(real * made / (1.0 - made)) if real and made < 1.0 else len(own)))
    added = torch.from_numpy(np.concatenate(extra))
    source = torch.cat([torch.arange(len(labels)), added])
    is_made = torch.arange(len(source)) >= len(labels)
    rows = source.tolist()
    return PenSet(
        views=strokes.views,
        labels=strokes.labels[source],
        forged=strokes.forged[source] | is_made,
        ids=tuple(strokes.ids[row] for row in rows),
        people=strokes.people,
        corpus_of=strokes.corpus_of,
        unusable=strokes.unusable,
        sessions=tuple(strokes.sessions[row] for row in rows),
        source=source,
        made=is_made,
    )


def traces_of(strokes: StrokeSet) -> list[Trace]:
    """The recorded frames of every signature without padding, float64 (4, n)."""
    return [unpadded(frames) for frames in strokes.views[:, 0].numpy()]
