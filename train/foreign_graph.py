"""What an ONNX file says of itself, by ONNX Runtime alone: its input, its outputs, and whether it can be run at all."""

from dataclasses import dataclass
from pathlib import Path

from encode.errors import TrainingError
from encode.network import open_session
from encode.runtime import ort

MOST_BYTES = 1 << 30
"""As of any part of a bundle."""

_FLOATS = ("tensor(float)", "tensor(float16)")

_REFUSALS = (
    (
        "external data",
        "its weights lie in other files, which no digest would cover",
        "save it as one file: onnx.save(onnx.load(FILE), NEW)",
    ),
    (
        "opset",
        f"its opset is beyond what ONNX Runtime {ort.__version__} runs",
        "export it with an older opset, or install a newer onnxruntime",
    ),
    (
        "ir version",
        f"its IR version is beyond what ONNX Runtime {ort.__version__} reads",
        "export it with an older onnx, or install a newer onnxruntime",
    ),
    (
        "not a registered",
        "it holds operations that ONNX Runtime does not know",
        "export it with standard operations alone",
    ),
)
"""What the runtime's message holds → what that means, and what to do."""


@dataclass(frozen=True)
class Graph:
    """An ONNX file that loads.

    Attributes
    ----------
    input_type, input_shape : of the one input; a side that is free is None.
    outputs : name → type.
    """

    data: bytes
    input_type: str
    input_shape: tuple[int | None, ...]
    outputs: dict[str, str]

    @property
    def batch(self) -> int | None:
        """The only batch that it takes; None for any."""
        return self.input_shape[0]

    def require_input(self, shape: tuple[int, ...], layout: str) -> None:
        """Raise TrainingError unless it reads float32 of `shape`, (C, H, W) or (C, T), at a batch of 1 or any."""
        if self.input_type != "tensor(float)":
            raise TrainingError(
                f"the network reads {self.input_type}, not tensor(float)",
                field="encoder",
                fix="export it with an input of float32",
            )
        if len(self.input_shape) != len(shape) + 1:
            raise TrainingError(
                f"the network reads {len(self.input_shape)} dimensions, the preprocessing makes {len(shape) + 1}",
                field="preprocessing.input",
                fix="a face encoder reads (N, C, H, W) or (N, H, W, C), one of signatures (N, C, T)",
            )
        if self.batch not in (None, 1):
            raise TrainingError(
                f"the network takes batches of exactly {self.batch}",
                field="encoder",
                fix="export it with a free batch dimension, or one of 1",
            )
        expected = (*shape[1:], shape[0]) if layout == "NHWC" else shape
        if not _fits(self.input_shape[1:], expected):
            what, key, fix = self._misfit(shape, layout, expected)
            raise TrainingError(what, field=key, fix=fix)

    def _misfit(self, shape: tuple[int, ...], layout: str, expected: tuple[int, ...]) -> tuple[str, str, str]:
        """What, which key, and what to do about an input of another shape."""
        sides = "x".join("any" if side is None else str(side) for side in self.input_shape[1:])
        made = "x".join(map(str, expected))
        what = f"the network reads {sides}, the preprocessing makes {made}"
        other = "NCHW" if layout == "NHWC" else "NHWC"
        moved = shape if layout == "NHWC" else (*shape[1:], shape[0])
        if len(shape) == 3 and _fits(self.input_shape[1:], moved):
            return what, "preprocessing.input.layout", f'write layout = "{other}"'
        if len(shape) == 2:
            return what, "preprocessing.steps", "have the step make as many features and points as the network reads"
        channels = self.input_shape[-1 if layout == "NHWC" else 1]
        if channels not in (None, shape[0]):
            return what, "preprocessing.input.colour", "L makes one channel, RGB and BGR make three"
        return what, "preprocessing.input", "write the height and width that the network reads"

    def require_output(self, name: str | None) -> str:
        """The output that is the embedding. Raises TrainingError where it is not one, or not of floats."""
        listed = ", ".join(self.outputs)
        if name is None and len(self.outputs) != 1:
            raise TrainingError(
                f"the network has {len(self.outputs)} outputs: {listed}",
                field="preprocessing.output.name",
                fix="name the one that is the embedding",
            )
        chosen = next(iter(self.outputs)) if name is None else name
        if chosen not in self.outputs:
            raise TrainingError(
                f"the network has no output {chosen!r}", field="preprocessing.output.name", fix=f"it has {listed}"
            )
        if self.outputs[chosen] not in _FLOATS:
            raise TrainingError(
                f"the output {chosen!r} is {self.outputs[chosen]}, not floating-point numbers",
                field="preprocessing.output.name",
                fix=f"an embedding is float32 or float16; the outputs are {listed}",
            )
        return chosen


def open_graph(path: Path) -> Graph:
    """The file at `path`. Raises TrainingError, field `encoder`: it cannot be read or loaded, or has not one input."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TrainingError(
                f"{path.name} is larger than {MOST_BYTES >> 30} GiB", field="encoder", fix="export a smaller network"
            )
        data = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", field="encoder") from error
    return read_graph(data)


def read_graph(data: bytes) -> Graph:
    """The same of a file's bytes."""
    try:
        session = open_session(data, 1)
    except Exception as error:  # ONNX Runtime has a class for every way to be damaged
        said = str(error).lower()
        why, fix = next(
            ((why, fix) for part, why, fix in _REFUSALS if part in said),
            ("it is no network that ONNX Runtime can load", "check it with onnx.checker, or export it again"),
        )
        raise TrainingError(why, field="encoder", fix=fix) from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise TrainingError(
            f"the network has {len(inputs)} inputs: {', '.join(one.name for one in inputs)}",
            field="encoder",
            fix="export it with one, the image or the strokes",
        )
    sides = tuple(side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape)
    return Graph(data, inputs[0].type, sides, {output.name: output.type for output in session.get_outputs()})


def _fits(sides: tuple[int | None, ...], expected: tuple[int, ...]) -> bool:
    """Whether sides that may be free take what is expected."""
    return all(side in (None, wanted) for side, wanted in zip(sides, expected, strict=True))
