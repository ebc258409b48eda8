"""What the training loop asks of samples in memory, whatever they are samples of."""

from typing import Protocol

from torch import Tensor

from train.recipe import Recipe


class SampleSet(Protocol):
    """Samples of a corpus, read once; `train.pixels` has those of faces, `train.strokes` those of signatures."""

    @property
    def labels(self) -> Tensor:
        """int64 (N,), index into `people`; of a forgery, the person it imitates."""

    @property
    def forged(self) -> Tensor:
        """bool (N,), whether the sample is a skilled forgery."""

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody in the corpus."""

    @property
    def corpus_of(self) -> tuple[str, ...]:
        """The corpus of each person."""

    def drawn(self, rows: Tensor, recipe: Recipe) -> Tensor:
        """Network inputs (B, …) of the rows with the recipe's random variation; torch's generator decides."""

    def plain(self, rows: Tensor) -> Tensor:
        """Network inputs (B, …) of the rows as serving would show them."""
