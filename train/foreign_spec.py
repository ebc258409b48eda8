"""What an encoder of another maker wants to see and puts out, as one small TOML file (`countersign bundle import`).

    modality = "face"              # or "signature"

    [input]
    height = 112
    width = 112
    colour = "RGB"                 # L, RGB or BGR: the order of the channels
    mean = [127.5]                 # subtracted, in levels of 0 … 255: one value, or one for each channel in that order
    std = [127.5]                  # then divided by
    per_image = false              # instead: every image to mean 0 and standard deviation 1
    layout = "NCHW"                # or NHWC
    filter = "bilinear"            # box, bilinear, bicubic or lanczos
    batch = 1                      # only where the network must see one image at a time

    [crop]
    margin = 0.0                   # seen around a crop box, as a share of its sides
    share = 1.0                    # of the crop's sides that is kept, in the middle
    fit = true                     # cut to the input's proportions; false stretches

    [output]
    name = "embedding"             # where the graph has several
    normalise = true               # divide by the Euclidean norm

`steps`, a list as a manifest has it, stands in place of height to filter and [crop] where more is wanted, and is how a
network of pen strokes says which known form it reads. What would have no effect beside it is refused.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encode.errors import BundleCorrupt, TrainingError
from encode.manifest import NetworkSpec
from encode.preprocessing import Preprocessing, Side
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing, read_preprocessing


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSpec(_Section):
    """What the network reads; height and width are None where `steps` say it."""

    height: Side | None = None
    width: Side | None = None
    colour: Literal["L", "RGB", "BGR"] = "RGB"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0.0)], ...] = (1.0,)
    per_image: bool = False
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    filter: Literal["box", "bilinear", "bicubic", "lanczos"] = "bilinear"
    batch: Literal[1] | None = None


class CropSpec(_Section):
    """What is seen of a picture; shares of the crop's sides."""

    margin: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    fit: bool = True


class OutputSpec(_Section):
    """Which output is the embedding, and whether it is still to be normalised."""

    name: str | None = None
    normalise: bool = False


class ForeignSpec(_Section):
    """The whole file."""

    modality: Modality = Modality.FACE
    input: InputSpec = InputSpec()
    crop: CropSpec = CropSpec()
    output: OutputSpec = OutputSpec()
    steps: list[dict[str, Any]] | None = None

    def preprocessing(self) -> Preprocessing | StrokePreprocessing:
        """The steps that the manifest will list. Raises TrainingError naming the key at fault."""
        self._refuse_idle_keys()
        steps = self._image_steps() if self.steps is None else self.steps
        try:
            return read_preprocessing(steps, self.modality)
        except BundleCorrupt as error:
            raise TrainingError(error.message, field=error.field) from error

    def network(self) -> NetworkSpec:
        """How the network is to be wrapped, as far as the file tells."""
        return NetworkSpec(
            layout=self.input.layout,
            output=self.output.name,
            normalise=self.output.normalise,
            one_by_one=self.input.batch == 1,
        )

    def _refuse_idle_keys(self) -> None:
        given = sorted(self.input.model_fields_set - {"layout", "batch"})
        if self.steps is not None and (given or "crop" in self.model_fields_set):
            where = f"input.{given[0]}" if given else "crop"
            raise TrainingError(
                "steps are given, which stand in place of it",
                field=f"preprocessing.{where}",
                fix="leave one of them out",
            )
        if self.input.per_image and (idle := sorted({"mean", "std"} & self.input.model_fields_set)):
            raise TrainingError(
                "with per_image every image is brought to its own mean and deviation",
                field=f"preprocessing.input.{idle[0]}",
                fix="leave one of them out",
            )

    def _image_steps(self) -> list[dict[str, Any]]:
        if self.modality is not Modality.FACE:
            raise TrainingError(
                "a signature encoder reads pen strokes, and only in a form that is known here",
                field="preprocessing.steps",
                fix='write steps = [{step = "bromley1993"}] or [{step = "pen_frames"}], with their parameters',
            )
        seen, crop = self.input, self.crop
        if seen.height is None or seen.width is None:
            raise TrainingError(
                "the size of the image is not given", field="preprocessing.input", fix="write height and width"
            )
        steps: list[dict[str, Any]] = [{"step": "margin", "share": crop.margin}] if crop.margin else []
        steps.append({"step": "colour", "mode": seen.colour})
        if crop.share < 1.0:
            steps.append({"step": "centre_crop", "height": crop.share, "width": crop.share})
        if crop.fit:
            steps.append({"step": "fit", "aspect": seen.width / seen.height})
        steps.append({"step": "resize", "height": seen.height, "width": seen.width, "filter": seen.filter})
        scale = {"mean": seen.mean, "std": seen.std, "per_image": seen.per_image, "white": 255}
        return [*steps, {"step": "scale", **scale}]


def read_foreign_spec(path: Path) -> ForeignSpec:
    """The file at `path`. Raises TrainingError naming the key at fault."""
    try:
        return ForeignSpec.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", field="preprocessing") from error
    except ValidationError as error:  # a ValueError too, as is that of a file that is no TOML
        first = error.errors()[0]
        where = ".".join(["preprocessing", *(str(part) for part in first["loc"])])
        raise TrainingError(first["msg"], field=where, fix="see docs/bring-your-own-encoder.md") from error
    except ValueError as error:
        raise TrainingError(f"not valid TOML: {error}", field="preprocessing") from error
