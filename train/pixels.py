"""Corpus → one uint8 tensor of grey crops with a margin of real pixels around each.

The middle of a stored crop is what `Preprocessing` shows the encoder when serving; the margin lets shift, zoom and
rotation sample what the photograph really holds there (edge pixels only where the photograph ends).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from encode.errors import SampleError, TrainingError
from encode.image import check_crop, decode_image
from encode.preprocessing import Colour, Preprocessing, Resize
from encode.sample import CropBox, ImageSample
from eval.corpora.corpus import Corpus, Row


@dataclass(frozen=True)
class PixelSet:
    """Crops of a corpus in memory.

    Attributes
    ----------
    pixels : uint8 (N, 1, H + 2·margin_y, W + 2·margin_x).
    labels : int64 (N,), index into `people`.
    """

    pixels: Tensor
    labels: Tensor
    people: tuple[str, ...]
    corpus_of: tuple[str, ...]
    margin: tuple[int, int]
    unusable: int

    def centre(self) -> Tensor:
        """uint8 (N, 1, H, W): the crops without their margins."""
        y, x = self.margin
        return self.pixels[:, :, y : self.pixels.shape[2] - y, x : self.pixels.shape[3] - x]


def load_pixels(
    corpus: Corpus,
    preprocessing: Preprocessing,
    *,
    margin: tuple[int, int],
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> PixelSet:
    """Decode every sample of `corpus`; unusable ones are counted and left out. `advance` gets (done, total).

    Raises TrainingError if no sample is usable, or for preprocessing that a margin cannot be cut with: the crops would
    not be what serving shows the encoder.
    """
    _require_margin_steps(preprocessing)
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


def _require_margin_steps(preprocessing: Preprocessing) -> None:
    match preprocessing.steps:
        case [Colour(mode="L"), Resize(filter="bilinear")]:
            return
    raise TrainingError(
        "training reads grey images and resizes them bilinearly",
        field="preprocessing",
        fix="write the steps colour (L), resize (bilinear), scale",
    )
