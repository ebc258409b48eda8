"""Samples → embeddings, with a reason for each sample that cannot be used (a failure to acquire).

Enrolment and verification acquire alike: every sample is decoded on its own, and those of a modality that decode go
through that modality's network in one batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError, WrongModality
from encode.sample import ImageSample, Modality, Sample

Acquired = NDArray[np.float32] | SampleError
"""An embedding, float32 (D,), or why there is none."""


class SampleEncoder(Protocol):
    """What acquisition needs of :class:`encode.encoder.Encoder`."""

    @property
    def modality(self) -> Modality: ...

    @property
    def embedding_size(self) -> int: ...

    @property
    def model_digest(self) -> str: ...

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        """One sample → float32 (C, H, W). Raises SampleError kinds."""

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 (N, C, H, W) → embeddings float32 (N, D)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a sample could not be used, in the words of the error tree."""

    reason: str
    field: str
    message: str
    fix: str

    @classmethod
    def of(cls, error: SampleError) -> Self:
        return cls(error.reason, error.field or "", error.message, error.fix or "")


def no_checkpoint() -> None:
    """The checkpoint of callers in no hurry."""


def acquire(
    encoder: SampleEncoder,
    samples: Sequence[Sample],
    *,
    paths: Sequence[str] | None = None,
    checkpoint: Callable[[], None] = no_checkpoint,
) -> list[Acquired]:
    """Embed every usable sample of one modality, in order.

    `checkpoint` is called before each decoding and before the network runs; what it raises (DeadlineExpired, say) ends
    the work there. The field of an error is relative to the sample's content (`data`, say).

    Raises
    ------
    WrongModality : a sample of a form that the model does not read, such as an image for a model of strokes; its field
        is the sample's path, where `paths` are given.
    """
    prepared: list[NDArray[np.float32]] = []
    failed: dict[int, SampleError] = {}
    for index, sample in enumerate(samples):
        checkpoint()
        try:
            prepared.append(encoder.prepare(sample))
        except SampleError as error:
            failed[index] = error
        except WrongModality as error:
            if paths is not None:
                error.at(paths[index])
            raise
    if not prepared:
        return list(failed.values())
    checkpoint()
    embeddings = iter(encoder.embed_prepared(np.stack(prepared)))
    return [failed[index] if index in failed else _finite(next(embeddings)) for index in range(len(samples))]


def _finite(embedding: NDArray[np.float32]) -> Acquired:
    # One NaN among the references would make every later comparison with the person NaN.
    if np.isfinite(embedding).all():
        return embedding
    return SampleError("the model found nothing to measure in the sample", fix="send another sample")


def acquire_all(
    encoders: Mapping[Modality, SampleEncoder],
    samples: Sequence[Sample],
    *,
    checkpoint: Callable[[], None] = no_checkpoint,
) -> list[Acquired]:
    """Embed every usable sample of a request, in order, each with the encoder of its modality.

    The field of an error is the sample's path in the request, such as ``samples[2].image.data``.

    Raises
    ------
    WrongModality : a sample of a modality without an encoder, checked for all samples before any is decoded; or of a
        form that its modality's encoder does not read.
    """
    require_modalities(encoders, samples)
    results: dict[int, Acquired] = {}
    for modality, encoder in encoders.items():
        results |= acquire_some(modality, encoder, samples, checkpoint=checkpoint)
    return [results[index] for index in range(len(samples))]


def acquire_some(
    modality: Modality,
    encoder: SampleEncoder,
    samples: Sequence[Sample],
    *,
    checkpoint: Callable[[], None] = no_checkpoint,
) -> dict[int, Acquired]:
    """Embed every usable sample of one modality of a request: index of the sample → its result.

    The field of an error is as in :func:`acquire_all`. Raises WrongModality as :func:`acquire`.
    """
    chosen = [index for index, sample in enumerate(samples) if sample.modality is modality]
    paths = [sample_path(index, samples[index]) for index in chosen]
    acquired = acquire(encoder, [samples[index] for index in chosen], paths=paths, checkpoint=checkpoint)
    for path, result in zip(paths, acquired, strict=True):
        if isinstance(result, SampleError):
            result.at(path)
    return dict(zip(chosen, acquired, strict=True))


def require_modalities(loaded: Mapping[Modality, object], samples: Sequence[Sample]) -> None:
    """Raise WrongModality at the first sample of a modality that is not `loaded`."""
    for index, sample in enumerate(samples):
        if sample.modality not in loaded:
            readable = " or ".join(sorted(loaded)) or "nothing"
            raise WrongModality(
                f"the sample is a {sample.modality.value}, the loaded models read {readable}",
                field=sample_path(index, sample),
                fix="send samples of a loaded modality, or load a model that reads this one",
            )


def sample_path(index: int, sample: Sample) -> str:
    """Where a sample's content lies in a request: ``samples[2].image`` or ``samples[2].strokes``."""
    return f"samples[{index}].{'image' if isinstance(sample, ImageSample) else 'strokes'}"
