"""Corpus → one uint8 tensor of grey crops with a margin of real pixels around each.

The middle of a stored crop is what `Preprocessing` shows the encoder when serving; the margin lets shift, zoom and
rotation sample what the photograph really holds there (edge pixels only where the photograph ends).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from encode.errors import SampleError, TrainingError
from encode.image import check_crop, decode_image
from encode.preprocessing import Colour, Preprocessing, Resize, Scale
from encode.sample import CropBox, ImageSample
from encode.stroke_preprocessing import StrokePreprocessing
from eval.corpora.corpus import Corpus, Row
from train.augment import build_augmentation
from train.recipe import Recipe


@dataclass(frozen=True)
class PixelSet:
    """Crops of a corpus in memory.

    Attributes
    ----------
    pixels : uint8 (N, 1, H + 2·margin_y, W + 2·margin_x).
    labels : int64 (N,), index into `people`.
    scale : the last step of the preprocessing, from pixels to what the network reads.
    samples : the id of each sample in its corpus.
    """

    pixels: Tensor
    labels: Tensor
    people: tuple[str, ...]
    corpus_of: tuple[str, ...]
    margin: tuple[int, int]
    unusable: int
    scale: Scale
    samples: tuple[str, ...] = ()

    @cached_property
    def forged(self) -> Tensor:
        """bool (N,): faces are never forgeries."""
        return torch.zeros(len(self.labels), dtype=torch.bool)

    def centre(self) -> Tensor:
        """uint8 (N, 1, H, W): the crops without their margins."""
        y, x = self.margin
        return self.pixels[:, :, y : self.pixels.shape[2] - y, x : self.pixels.shape[3] - x]

    def drawn(self, rows: Tensor, recipe: Recipe) -> Tensor:
        """Augmented network inputs of the rows, float32 (B, 1, H, W); torch's generator decides what is drawn."""
        augment = build_augmentation(recipe.augment, self.margin)
        return _for_network(augment(self.pixels[rows]), self.scale)

    def plain(self, rows: Tensor) -> Tensor:
        """Network inputs of the rows as serving would show them, float32 (B, 1, H, W)."""
        return _for_network(self.centre()[rows].float() / 255.0, self.scale)


def scale_pixels(pixels: Tensor, scale: Scale) -> Tensor:
    """What `Scale` does when serving, on a batch of float32 (N, C, H, W) in [0, 1]."""
    if scale.white != 1:
        pixels = pixels * float(scale.white)
    if scale.per_image:
        centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
        deviation = pixels.flatten(1).std(dim=1, correction=0).clamp_min(scale.white / 255.0)
        return centred / deviation[:, None, None, None]
    mean = torch.tensor(scale.mean, dtype=torch.float32)[None, :, None, None]
    std = torch.tensor(scale.std, dtype=torch.float32)[None, :, None, None]
    return (pixels - mean) / std


def _for_network(pixels: Tensor, scale: Scale) -> Tensor:
    # Convolutions over four dimensions run faster with the channels last on a CPU.
    return scale_pixels(pixels, scale).contiguous(memory_format=torch.channels_last)


def load_pixels(
    corpus: Corpus,
    steps: Preprocessing | StrokePreprocessing,
    *,
    margin: tuple[int, int],
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> PixelSet:
    """Decode every sample of `corpus`; unusable ones are counted and left out. `advance` gets (done, total).

    Raises TrainingError if no sample is usable, or for preprocessing that a margin cannot be cut with: the crops would
    not be what serving shows the encoder.
    """
    preprocessing = _require_margin_steps(steps)
    crops, labels, kept, unusable = [], [], [], 0
    index = {person: number for number, person in enumerate(corpus.people)}
    for number, row in enumerate(corpus.rows, start=1):
        advance(number, len(corpus))
        try:
            crops.append(_crop_with_margin(row, preprocessing, margin))
        except (SampleError, OSError):
            unusable += 1
            continue
        labels.append(index[row.person])
        kept.append(row)
    if not crops:
        raise TrainingError(f"none of the {len(corpus)} samples of {corpus.name} can be read", field="corpus")
    return PixelSet(
        pixels=torch.from_numpy(np.stack(crops)),
        labels=torch.tensor(labels, dtype=torch.int64),
        people=corpus.people,
        corpus_of=tuple(person.partition("/")[0] for person in corpus.people),
        margin=margin,
        unusable=unusable,
        scale=preprocessing.scale,
        samples=tuple(row.id for row in kept),
    )


def _crop_with_margin(
    row: Row, preprocessing: Preprocessing, margin: tuple[int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    sample = row.load()
    if not isinstance(sample, ImageSample):
        raise TrainingError("face training needs images", field=row.id)
    image = preprocessing.colour.apply(decode_image(sample.data))
    _, height, width = preprocessing.shape
    box = sample.crop or CropBox(0, 0, image.width, image.height)
    check_crop(image, box)
    # The margin in source pixels, at the scale at which the crop itself will be resampled.
    pad_y = margin[0] * (box.bottom - box.top) / height
    pad_x = margin[1] * (box.right - box.left) / width
    border = int(np.ceil(max(pad_y, pad_x))) + 1
    wide = Image.fromarray(np.pad(np.asarray(image), border, mode="edge"))
    resized = wide.resize(
        (width + 2 * margin[1], height + 2 * margin[0]),
        Image.Resampling.BILINEAR,
        box=(
            box.left - pad_x + border,
            box.top - pad_y + border,
            box.right + pad_x + border,
            box.bottom + pad_y + border,
        ),
    )
    return np.asarray(resized, dtype=np.uint8)[None]


def _require_margin_steps(preprocessing: Preprocessing | StrokePreprocessing) -> Preprocessing:
    if isinstance(preprocessing, Preprocessing):
        match preprocessing.steps:
            case [Colour(mode="L"), Resize(filter="bilinear")]:
                return preprocessing
    raise TrainingError(
        "training reads grey images and resizes them bilinearly",
        field="preprocessing",
        fix="write the steps colour (L), resize (bilinear), scale",
    )
