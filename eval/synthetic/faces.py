"""Synthetic people for demonstrations and tests, drawn from a two-covariance eigenface model.

    face = mean + a · between · y(person) + b · within · z(sample),      y, z ~ N(0, 1), cut off at ± 2.5

`between` are directions in which people differ, `within` directions in which pictures of one person differ (light,
pose, expression), each scaled to one standard deviation. A small shift, a zoom and sensor noise come on top.
`train/eigenfaces.py` fits the model; what is stored are averages over thousands of pictures, and no picture of anybody.

Eigenfaces: Turk & Pentland 1991. Two covariances: Prince & Elder 2007, *Probabilistic linear discriminant analysis for
inferences about identity*.
"""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from encode.errors import ConfigError, CorpusInvalid, CorpusMissing, FieldInvalid
from eval.corpora.corpus import Corpus
from eval.corpora.folder import read_folder

GENERATOR = "generator.npz"
LABEL = "Synthetic face, drawn from statistics. There is no such person."
"""Written into every drawn PNG as its Comment."""

WIDTH, HEIGHT = 92, 112
"""Pixels of a drawn face: those of the AT&T corpus."""

_CUT = 2.5  # standard deviations: further out, sums of eigenfaces stop looking like faces
_EDGE = 8  # pixels of margin, so that shift and zoom never look outside
_PERSON = re.compile(r"synthetic-\d+")


@dataclass(frozen=True)
class Spread:
    """How far drawn faces lie apart.

    Attributes
    ----------
    person, sample : the factors a and b above; 1 is what the fitted corpus shows.
    shift, zoom : standard deviations, in pixels of the drawn face (at most 2) and as a fraction (at most 0.03).
    noise : standard deviation of independent pixel noise, in grey levels of 255.
    """

    person: float = 1.2
    sample: float = 0.7
    shift: float = 1.5
    zoom: float = 0.015
    noise: float = 2.0

    def __post_init__(self) -> None:
        for name, most in {"shift": 2.0, "zoom": 0.03}.items():
            if not 0 <= getattr(self, name) <= most:
                raise FieldInvalid(f"must lie between 0 and {most:g}, or faces leave their margin", field=name)


DEFAULT_SPREAD = Spread()


@dataclass(frozen=True)
class FaceGenerator:
    """The fitted model.

    Attributes
    ----------
    mean : float32 (H, W), grey levels 0 to 255.
    between, within : float32 (K, H, W), grey levels per standard deviation along each direction.
    """

    mean: NDArray[np.float32]
    between: NDArray[np.float32]
    within: NDArray[np.float32]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `generator.npz` from `folder`. Raises CorpusMissing or CorpusInvalid."""
        path = folder / GENERATOR
        try:
            with np.load(path, allow_pickle=False) as archive:
                mean = np.asarray(archive["mean"], np.float32)
                bases = [_expand(archive[f"{name}"], archive[f"{name}_scale"]) for name in ("between", "within")]
        except FileNotFoundError as error:
            raise CorpusMissing(
                f"there is no generator of synthetic faces at {folder}", fix="name a corpus instead, such as att:DIR"
            ) from error
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise CorpusInvalid("the generator of synthetic faces does not parse", field=GENERATOR) from error
        if mean.ndim != 2 or any(basis.ndim != 3 or basis.shape[1:] != mean.shape for basis in bases):
            raise CorpusInvalid("the generator's mean and bases disagree about sizes", field=GENERATOR)
        return cls(mean, bases[0], bases[1])

    def to_npz(self) -> bytes:
        """The bytes of `generator.npz`: uint8 mean, int8 bases with a float32 scale a direction; never pickle."""
        buffer = io.BytesIO()
        arrays = {"mean": np.round(np.clip(self.mean, 0, 255)).astype(np.uint8)}
        for name, basis in (("between", self.between), ("within", self.within)):
            scale = np.abs(basis).max(axis=(1, 2)) / 127.0
            arrays[name] = np.round(basis / np.maximum(scale, 1e-12)[:, None, None]).astype(np.int8)
            arrays[f"{name}_scale"] = scale.astype(np.float32)
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def draw(self, person: int, samples: int, *, seed: int = 0, spread: Spread = DEFAULT_SPREAD) -> NDArray[np.uint8]:
        """Pictures of synthetic person number `person`, uint8 (samples, 112, 92).

        They follow from (seed, person) alone: the first samples stay the same however many are drawn.
        """
        if person < 0 or samples < 0 or seed < 0:
            raise FieldInvalid("person, samples and seed are counted from 0", field="person")
        generator = np.random.default_rng([seed, person])
        identity = self.mean + spread.person * _mix(self.between, generator)
        pictures = [
            _photograph(identity + spread.sample * _mix(self.within, generator), spread, generator)
            for _ in range(samples)
        ]
        return np.stack(pictures) if pictures else np.empty((0, HEIGHT, WIDTH), np.uint8)


def person_name(person: int) -> str:
    """``synthetic-01`` for person number 0: nobody takes it for a real name."""
    return f"synthetic-{person + 1:02}"


def clear_people(folder: Path) -> None:
    """Make `folder` if need be, and remove the synthetic people of an earlier run; nothing else in it is touched."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if _PERSON.fullmatch(old.name) and old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)


def write_people(generator: FaceGenerator, folder: Path, people: int, samples: int, *, seed: int = 0) -> Iterator[str]:
    """Draw people into ``folder/synthetic-NN/NN.png``, yielding each name once written.

    Synthetic people of an earlier run are removed first; nothing else in the folder is touched. Raises ConfigError if
    it cannot be written.
    """
    label = PngInfo()
    label.add_text("Comment", LABEL)
    try:
        clear_people(folder)
        for person in range(people):
            home = folder / person_name(person)
            home.mkdir()
            for number, picture in enumerate(generator.draw(person, samples, seed=seed), start=1):
                Image.fromarray(picture).save(home / f"{number:02}.png", pnginfo=label)
            yield home.name
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", field="out") from error


def read_people(folder: Path) -> Corpus:
    """The people that `write_people` wrote."""
    return read_folder(folder, name="synthetic people")


def _expand(rounded: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    expanded: NDArray[np.float32] = rounded.astype(np.float32) * scale.astype(np.float32)[:, None, None]
    return expanded


def _mix(basis: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float64]:
    """A random sum of directions, (H, W)."""
    mixed: NDArray[np.float64] = np.tensordot(_normal(len(basis), generator), basis, axes=1)
    return mixed


def _normal(count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    return np.clip(generator.standard_normal(count), -_CUT, _CUT)


def _photograph(face: NDArray[np.float64], spread: Spread, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Grey levels (H, W) → uint8 (112, 92), slightly shifted and zoomed, with sensor noise."""
    rows, columns = face.shape
    right, down = spread.shift * _normal(2, generator) * (columns / WIDTH, rows / HEIGHT)
    seen = np.exp(spread.zoom * _normal(1, generator)) * np.array([columns, rows])
    left, top = _EDGE + (columns - seen[0]) / 2 + right, _EDGE + (rows - seen[1]) / 2 + down
    noise = generator.normal(0.0, spread.noise, (HEIGHT, WIDTH))
    wide = np.pad(np.clip(face, 0, 255), _EDGE, mode="edge").astype(np.float32)
    box = (left, top, left + seen[0], top + seen[1])
    taken = Image.fromarray(wide).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(taken) + noise, 0, 255).astype(np.uint8)
