"""Preprocessing of images as data: named steps with parameters, read from the manifest, run one after another.

A bundle says what its encoder wants to see, for example::

    [{"step": "colour", "mode": "L"},
     {"step": "resize", "height": 56, "width": 46, "filter": "box"},
     {"step": "scale", "mean": [0.5], "std": [0.25]}]

Steps before `scale` map image to image; `scale` ends the list and makes the array float32 (C, H, W), so that an aligned
112 x 112 colour crop for a foreign encoder is another list, not other code. Training and serving both run this module.
`margin` alone comes before the crop: it says how much more than the crop box the encoder sees. How the array is laid
out for a network of another maker is :class:`encode.manifest.NetworkSpec`. Pen strokes have
:mod:`encode.stroke_preprocessing`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field, SerializerFunctionWrapHandler, TypeAdapter, model_serializer

from encode.errors import BundleCorrupt
from encode.sample import CropBox
from encode.step import Step, parse_steps

_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Side = Annotated[int, Field(ge=1, le=4096)]


class Margin(Step):
    """See more than the crop box: each side moves out by `share` of the box's own width or height.

    What would lie outside of the image is left out; a sample without a crop box is seen as it is.
    """

    step: Literal["margin"] = "margin"
    share: Fraction

    def around(self, box: CropBox, image: Image.Image) -> CropBox:
        """`box`, which lies within the upright image, widened and within it still."""
        across, down = round(self.share * (box.right - box.left)), round(self.share * (box.bottom - box.top))
        return CropBox(
            left=max(0, box.left - across),
            top=max(0, box.top - down),
            right=min(image.width, box.right + across),
            bottom=min(image.height, box.bottom + down),
        )


class Colour(Step):
    """Convert to grey (`L`, ITU-R 601 luma), `RGB` or `BGR` (RGB with the channels reversed at the end)."""

    step: Literal["colour"] = "colour"
    mode: Literal["L", "RGB", "BGR"] = "L"

    def apply(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I;16") or image.mode in ("I", "F"):
            # 16-bit grey: Pillow's own conversion to L clips at 255 instead of scaling.
            deep = np.asarray(image, dtype=np.float64)
            image = Image.fromarray(np.clip(deep / 257.0, 0, 255).astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            # Transparent parts are shown on mid-grey, so that an invisible colour cannot reach the encoder.
            rgba = image.convert("RGBA")
            image = Image.new("RGBA", rgba.size, (128, 128, 128, 255))
            image.alpha_composite(rgba)
        return image.convert("L" if self.mode == "L" else "RGB")


class CentreCrop(Step):
    """Keep the middle: `height` and `width` are fractions of the image's own sides."""

    step: Literal["centre_crop"] = "centre_crop"
    height: Fraction = 1.0
    width: Fraction = 1.0

    def apply(self, image: Image.Image) -> Image.Image:
        w, h = max(1, round(image.width * self.width)), max(1, round(image.height * self.height))
        left, top = (image.width - w) // 2, (image.height - h) // 2
        return image.crop((left, top, left + w, top + h))


class Fit(Step):
    """Cut the longer direction, centred, until width : height equals `aspect`; nothing is stretched."""

    step: Literal["fit"] = "fit"
    aspect: Annotated[float, Field(gt=0.05, lt=20.0)]

    def apply(self, image: Image.Image) -> Image.Image:
        w = min(image.width, max(1, round(image.height * self.aspect)))
        h = min(image.height, max(1, round(image.width / self.aspect)))
        left, top = (image.width - w) // 2, (image.height - h) // 2
        return image.crop((left, top, left + w, top + h))


class Resize(Step):
    """Resample to height x width pixels."""

    step: Literal["resize"] = "resize"
    height: Side
    width: Side
    filter: Literal["box", "bilinear", "bicubic", "lanczos"] = "bilinear"

    def apply(self, image: Image.Image) -> Image.Image:
        return image.resize((self.width, self.height), _FILTERS[self.filter])


class Equalize(Step):
    """Flatten the histogram of grey levels (whole image)."""

    step: Literal["equalize"] = "equalize"

    def apply(self, image: Image.Image) -> Image.Image:
        return ImageOps.equalize(image)


class Scale(Step):
    """uint8 → float32: (x·white/255 − mean)/std per channel; or, with `per_image`, each image to mean 0 and std 1.

    `white` is what full white counts, and so the unit of mean and std: 1, or 255 for networks that were trained on
    bytes, which then see exactly those.
    """

    step: Literal["scale"] = "scale"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0.0)], ...] = (1.0,)
    per_image: bool = False
    white: Literal[1, 255] = 1

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A white of 1 is not written: there was no other once, and manifests keep their digests."""
        return {name: value for name, value in serialize(self).items() if (name, value) != ("white", 1)}

    def array(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """pixels (C, H, W) in [0, white] → float32 (C, H, W)."""
        if self.per_image:
            # The floor keeps a uniform image finite: it becomes zeros.
            floor = np.float32(self.white / 255.0)
            centred: NDArray[np.float32] = (pixels - pixels.mean()) / np.maximum(pixels.std(), floor)
            return centred
        mean = np.asarray(self.mean, np.float32)[:, None, None]
        std = np.asarray(self.std, np.float32)[:, None, None]
        scaled: NDArray[np.float32] = (pixels - mean) / std
        return scaled


ImageStep = Colour | CentreCrop | Fit | Resize | Equalize
_AnyStep = Annotated[Margin | ImageStep | Scale, Field(discriminator="step")]
_STEPS: TypeAdapter[list[Margin | ImageStep | Scale]] = TypeAdapter(list[_AnyStep])


class Preprocessing:
    """A validated list of steps: one `colour`, one `resize` behind it, and `scale` last; `margin`, if any, first.

    Attributes
    ----------
    shape : (C, H, W) of what comes out.
    margin : what is seen around a crop box; None for the box alone.
    """

    def __init__(self, steps: Sequence[object]) -> None:
        parsed = parse_steps(_STEPS, steps)
        names = [step.step for step in parsed]
        scale = parsed[-1] if parsed else None
        if names.count("colour") != 1 or names.count("resize") != 1 or not isinstance(scale, Scale):
            raise BundleCorrupt(
                "preprocessing needs exactly one `colour`, one `resize`, and `scale` as the last step",
                field="preprocessing",
            )
        if names.count("scale") != 1:
            raise BundleCorrupt("preprocessing may hold `scale` only once", field="preprocessing")
        if {"resize", "equalize"} & set(names[: names.index("colour")]):
            # Palettes and 16-bit grey do not resample or equalize as what they show.
            raise BundleCorrupt("`colour` must come before `resize` and `equalize`", field="preprocessing.colour")
        if "margin" in names[1:]:
            raise BundleCorrupt("`margin` may only be the first step", field="preprocessing.margin")
        self.margin = parsed[0] if isinstance(parsed[0], Margin) else None
        self.steps: list[ImageStep] = [step for step in parsed[:-1] if not isinstance(step, Margin | Scale)]
        self.scale = scale
        self.colour = next(step for step in self.steps if isinstance(step, Colour))
        size = next(step for step in self.steps if isinstance(step, Resize))
        channels = 1 if self.colour.mode == "L" else 3
        if not scale.per_image and {len(scale.mean), len(scale.std)} - {1, channels}:
            raise BundleCorrupt(
                f"mean and std need one value, or one for each of {channels} channels", field="preprocessing.scale"
            )
        self.shape = (channels, size.height, size.width)

    def describe(self) -> list[dict[str, object]]:
        """The steps as the manifest writes them."""
        steps = (*([] if self.margin is None else [self.margin]), *self.steps, self.scale)
        return [step.model_dump(mode="json") for step in steps]

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Upright PIL image → uint8 (C, H, W), everything but the final scaling."""
        for step in self.steps:
            image = step.apply(image)
        grid = np.asarray(image, dtype=np.uint8)
        if grid.ndim == 2:
            return grid[None]
        ordered = grid[:, :, ::-1] if self.colour.mode == "BGR" else grid
        return np.ascontiguousarray(ordered.transpose(2, 0, 1))

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Upright PIL image → float32 (C, H, W), contiguous, ready for the encoder."""
        unit = np.float32(255.0 / self.scale.white)
        return np.ascontiguousarray(self.scale.array(self.pixels(image).astype(np.float32) / unit))
