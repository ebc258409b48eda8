"""A recipe: everything that decides a training run, as one small TOML file read into frozen dataclasses."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from encode.errors import BundleCorrupt, TrainingError
from encode.preprocessing import Preprocessing
from train.augment import AugmentConfig

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class LossTerm:
    """One addend of the objective. `kind` selects the file in `train.losses`; the rest are its parameters."""

    kind: Literal["chopra2005", "hadsell2006", "supcon", "cosface"]
    weight: float = 1.0
    distance: Literal["euclidean", "l1"] = "euclidean"
    margin: float | None = None  # the loss's own: 1 for hadsell2006, 0.3 for cosface
    hard: bool = False
    temperature: float = 0.1
    scale: float = 24.0
    ramp: float = 0.3


@dataclass(frozen=True)
class Batch:
    """P people × K samples, `singles` people with one sample (two views each), and corpora's shares of P.

    With `pairs` > 0 the batch is that many ordered pairs instead, half of them genuine, as in the 2005 paper.
    """

    pairs: NotNegative = 0
    people: Annotated[int, Field(ge=2)] = 40
    samples: Annotated[int, Field(ge=2)] = 4
    singles: NotNegative = 0
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimisation:
    """AdamW with linear warm-up and cosine decay to zero; EMA of the weights; early stopping on background people."""

    steps: Positive = 4500
    rate: Annotated[float, Field(gt=0.0)] = 3e-3
    weight_decay: float = 0.05
    warmup: NotNegative = 200
    ema: float = 0.998
    clip: float = 5.0
    evaluate_every: Positive = 250
    patience: Positive = 8
    bf16: bool = True


@dataclass(frozen=True)
class Recipe:
    """A training run as data; with `mirror` the sealed network averages each face with its mirror image."""

    name: str
    network: Literal["residual", "chopra2005"]
    preprocessing: tuple[Mapping[str, Any], ...]
    losses: Annotated[tuple[LossTerm, ...], Field(min_length=1)]
    seed: NotNegative = 0
    margin: tuple[int, int] = (8, 7)
    batch: Batch = field(default_factory=Batch)
    optimisation: Optimisation = field(default_factory=Optimisation)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    network_options: Mapping[str, Any] = field(default_factory=dict)
    mirror: bool = False

    def steps(self) -> Preprocessing:
        """The preprocessing, validated."""
        return Preprocessing(self.preprocessing)

    def describe(self) -> dict[str, Any]:
        """As plain data, for the manifest."""
        return dataclasses.asdict(self)


_SECTIONS = {"batch": Batch, "optimisation": Optimisation, "augment": AugmentConfig}
_RECIPE = TypeAdapter(Recipe)


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("train") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_path: str) -> Recipe:
    """A shipped recipe by name, or a TOML file by path. Raises TrainingError naming the key at fault."""
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise TrainingError(f"there is no recipe {path}", field="recipe")
        raw = path.read_bytes()
    elif name_or_path in shipped_recipes():
        raw = (resources.files("train") / "recipes" / f"{name_or_path}.toml").read_bytes()
    else:
        raise TrainingError(
            f"{name_or_path!r} is not a shipped recipe",
            field="recipe",
            fix=f"use a .toml file or one of {', '.join(shipped_recipes())}",
        )
    try:
        parsed = tomllib.loads(raw.decode())
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both one
        raise TrainingError(f"not valid TOML: {error}", field="recipe") from error
    return parse_recipe(parsed)


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Parsed TOML → recipe; unknown keys and values are refused, so that a misspelt option cannot be ignored."""
    _refuse_unknown(Recipe, data, "recipe")
    for section, cls in _SECTIONS.items():
        _refuse_unknown(cls, data.get(section), section)
    losses = data.get("losses")
    for term in losses if isinstance(losses, list) else ():
        _refuse_unknown(LossTerm, term, "losses")
    try:
        recipe = _RECIPE.validate_python(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingError(first["msg"], field=".".join(str(part) for part in first["loc"]) or "recipe") from error
    try:
        recipe.steps()
    except BundleCorrupt as error:
        raise TrainingError(error.message, field=error.field) from error
    return recipe


def _refuse_unknown(cls: type[Any], values: object, where: str) -> None:
    if not isinstance(values, Mapping):
        return  # absent, or of a type that validation names
    known = {entry.name for entry in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise TrainingError(f"unknown key {unknown[0]!r}", field=where, fix=f"known keys: {', '.join(sorted(known))}")
