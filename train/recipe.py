"""A recipe: everything that decides a training run, as one small TOML file read into frozen dataclasses."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from encode.errors import TrainingError
from encode.preprocessing import Preprocessing
from train.augment import AugmentConfig


@dataclass(frozen=True)
class LossTerm:
    """One addend of the objective. `kind` selects the file in `train.losses`; the rest are its parameters."""

    kind: Literal["chopra2005", "hadsell2006", "supcon", "cosface"]
    weight: float = 1.0
    distance: Literal["euclidean", "l1"] = "euclidean"
    margin: float = 1.0
    hard: bool = False
    temperature: float = 0.1
    scale: float = 24.0
    ramp: float = 0.3


@dataclass(frozen=True)
class Batch:
    """P people × K samples, `singles` people with one sample (two views each), and corpora's shares of P."""

    people: int = 40
    samples: int = 4
    singles: int = 0
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimisation:
    """AdamW with linear warm-up and cosine decay to zero; EMA of the weights; early stopping on background people."""

    steps: int = 4500
    rate: float = 3e-3
    weight_decay: float = 0.05
    warmup: int = 200
    ema: float = 0.998
    clip: float = 5.0
    evaluate_every: int = 250
    patience: int = 8
    bf16: bool = True


@dataclass(frozen=True)
class Recipe:
    """A training run as data."""

    name: str
    network: Literal["residual", "chopra2005"]
    preprocessing: tuple[Mapping[str, Any], ...]
    losses: tuple[LossTerm, ...]
    seed: int = 0
    margin: tuple[int, int] = (8, 7)
    batch: Batch = field(default_factory=Batch)
    optimisation: Optimisation = field(default_factory=Optimisation)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    network_options: Mapping[str, Any] = field(default_factory=dict)

    def steps(self) -> Preprocessing:
        """The preprocessing, validated."""
        return Preprocessing(self.preprocessing)

    def describe(self) -> dict[str, Any]:
        """As plain data, for the manifest."""
        return dataclasses.asdict(self)


_SECTIONS = {"batch": Batch, "optimisation": Optimisation, "augment": AugmentConfig}


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
        text = path.read_text()
    elif name_or_path in shipped_recipes():
        text = (resources.files("train") / "recipes" / f"{name_or_path}.toml").read_text()
    else:
        raise TrainingError(
            f"{name_or_path!r} is not a shipped recipe",
            field="recipe",
            fix=f"use a .toml file or one of {', '.join(shipped_recipes())}",
        )
    try:
        return parse_recipe(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"not valid TOML: {error}", field="recipe") from error


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Parsed TOML → recipe; unknown keys are refused, so that a misspelt option cannot be ignored."""
    values = dict(data)
    for section, cls in _SECTIONS.items():
        if section in values:
            values[section] = _build(cls, values[section], section)
    values["losses"] = tuple(_build(LossTerm, term, "losses") for term in values.get("losses", ()))
    values["preprocessing"] = tuple(values.get("preprocessing", ()))
    if "margin" in values:
        values["margin"] = tuple(values["margin"])
    recipe = _build(Recipe, values, "recipe")
    if not isinstance(recipe, Recipe) or not recipe.losses:
        raise TrainingError("a recipe needs at least one loss term", field="losses")
    recipe.steps()
    return recipe


def _build(cls: type[Any], values: Mapping[str, Any], where: str) -> Any:
    known = {entry.name for entry in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise TrainingError(f"unknown key {unknown[0]!r}", field=where, fix=f"known keys: {', '.join(sorted(known))}")
    try:
        return cls(**values)
    except TypeError as error:
        raise TrainingError(str(error).replace("__init__() ", ""), field=where) from error
