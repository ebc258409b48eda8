"""Sample → embedding, through the bundle's ONNX network.

The network is run on exact batches: rows of one batch never influence each other (parity at 1, 2 and N is tested on
every bundle that ships). Threads follow the cgroup's quota, because ONNX Runtime itself looks only at the machine.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encode.bundle import Bundle
from encode.cpu import usable_cpus
from encode.errors import BundleShapeMismatch, InputError, WrongModality
from encode.image import DEFAULT_LIMITS, ImageLimits, check_crop, crop_image, decode_image
from encode.manifest import ENCODER
from encode.network import Network
from encode.preprocessing import Preprocessing
from encode.sample import CropBox, ImageSample, Modality, Sample, StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import DEFAULT_STROKE_LIMITS, StrokeLimits, read_strokes

MAX_BATCH = 256
"""Rows sent to the network at once; larger requests are cut into pieces, which bounds memory."""


class Encoder:
    """The encoder of one bundle; safe to use from several threads at once.

    Parameters
    ----------
    bundle : an opened bundle.
    threads : intra-op threads; by default as many processors as the process may use.
    limits, stroke_limits : caps on each encoded image, and on each list of strokes.

    Attributes
    ----------
    shape : of one prepared input, (C, H, W) or (C, T).
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
        stroke_limits: StrokeLimits = DEFAULT_STROKE_LIMITS,
    ) -> None:
        self._bundle = bundle
        self.threads = threads or usable_cpus()
        self.modality: Modality = bundle.manifest.modality
        self.embedding_size: int = bundle.manifest.embedding.size
        self.model_digest: str = bundle.model_digest
        self._preprocessing = bundle.preprocessing
        self.shape: tuple[int, ...] = bundle.preprocessing.shape
        self._limits = limits
        self._stroke_limits = stroke_limits
        self._network = Network(bundle.encoder, bundle.manifest.network, self.threads)
        self.providers: tuple[str, ...] = self._network.providers
        self._check_shapes()

    def on_one_thread(self) -> "Encoder":
        """An encoder of the same bundle that runs its network on the calling thread alone; itself if it does already.

        Where several callers want the network at once, each on one thread is quicker than all on all: nothing waits
        for the slowest part of a divided step.
        """
        if self.threads == 1:
            return self
        # A copy: the network was checked when this one was made.
        narrow = copy(self)
        narrow.threads = 1
        narrow._network = Network(self._bundle.encoder, self._bundle.manifest.network, 1)
        return narrow

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        """One sample → float32 (C, H, W) of an image or (C, T) of strokes.

        Raises SampleError kinds, or WrongModality for a sample of another modality or form than the model reads.
        """
        preprocessing = self._preprocessing
        if sample.modality is self.modality:
            if isinstance(sample, StrokesSample) and isinstance(preprocessing, StrokePreprocessing):
                return preprocessing(read_strokes(sample, self._stroke_limits))
            if isinstance(sample, ImageSample) and isinstance(preprocessing, Preprocessing):
                image = decode_image(sample.data, self._limits)
                if sample.crop is not None:
                    image = self._cropped(image, sample.crop)
                return preprocessing(image)
        form = "strokes" if isinstance(preprocessing, StrokePreprocessing) else "images"
        raise WrongModality(
            f"the model reads {self.modality.value} {form}, this sample is a {sample.modality.value} "
            f"{'image' if isinstance(sample, ImageSample) else 'in strokes'}",
            fix=f"send {self.modality.value} {form}, or load a model for this kind of sample",
        )

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Prepared inputs float32 (N, C, H, W) or (N, C, T) → embeddings float32 (N, D).

        Raises BundleShapeMismatch if the network puts out anything but one row of D values for each.
        """
        if len(inputs) == 0:
            return np.empty((0, self.embedding_size), np.float32)
        pieces = [self._network.run(inputs[start : start + MAX_BATCH]) for start in range(0, len(inputs), MAX_BATCH)]
        embeddings: NDArray[np.float32] = np.concatenate(pieces)
        # How many rows come out may follow from what is in them: those of one call would then answer for another's.
        if embeddings.shape != (len(inputs), self.embedding_size):
            raise BundleShapeMismatch(
                f"the network puts out shape {embeddings.shape} for a batch of {len(inputs)}", field=ENCODER
            )
        return embeddings

    def embed(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """Samples → embeddings float32 (N, D), in order; the first unusable sample raises with its index in `field`."""
        prepared = []
        for index, sample in enumerate(samples):
            try:
                prepared.append(self.prepare(sample))
            except InputError as error:
                raise error.at(f"samples[{index}]") from None
        if not prepared:
            return np.empty((0, self.embedding_size), np.float32)
        return self.embed_prepared(np.stack(prepared))

    def _cropped(self, image: Image.Image, box: CropBox) -> Image.Image:
        """What the model sees of `image`: the box, or with a margin more. Raises as `encode.image.check_crop`."""
        check_crop(image, box, self._limits)
        margin = self._preprocessing.margin if isinstance(self._preprocessing, Preprocessing) else None
        return crop_image(image, box if margin is None else margin.around(box, image), self._limits)

    def _check_shapes(self) -> None:
        """Run blank inputs, so that a network of other sizes is refused at loading, not at the first request."""
        for batch in (1, 2):  # both, or a network exported for one batch size would pass
            blank = np.zeros((batch, *self._preprocessing.shape), np.float32)
            try:
                found = self._network.run(blank).shape
            except Exception as error:  # ONNX Runtime has a class for every way not to fit
                raise BundleShapeMismatch(
                    f"the network does not take a batch of {batch} inputs of shape {self._preprocessing.shape}",
                    field=ENCODER,
                ) from error
            if found != (batch, self.embedding_size):
                raise BundleShapeMismatch(
                    f"the network puts out shape {found} for a batch of {batch}, the manifest says "
                    f"({batch}, {self.embedding_size})",
                    field=ENCODER,
                )
