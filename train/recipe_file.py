"""Recipe files: TOML text → one table, with what a recipe extends merged in beneath it.

    extends = "base.toml"        a file, relative to the one that says so, or the name of a shipped recipe

Tables are merged key by key; anything else, arrays such as `losses` and `preprocessing` among them, is replaced as a
whole. A file that extends another and gives no `name` is called by its file's name.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from encode.errors import TrainingError

EXTENDS = "extends"


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def recipe_label(name_or_path: str) -> str:
    """What a recipe is called among others: a shipped one's name, a file's without its ending."""
    return Path(name_or_path).stem if name_or_path.endswith(".toml") else name_or_path


def read_recipe_file(name_or_path: str) -> dict[str, Any]:
    """A shipped recipe by name, or a TOML file by path, as one table without `extends`.

    Raises TrainingError for a recipe that does not exist, that is no TOML, or that extends itself.
    """
    return _resolved(name_or_path, Path(), ())


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` in their place, tables key by key."""
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return found


def _resolved(name_or_path: str, folder: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    if not name_or_path.endswith(".toml"):
        raw, identity, beside = _read_shipped(name_or_path), name_or_path, folder
    else:
        path = folder / name_or_path
        if not path.is_file():
            raise TrainingError(f"there is no recipe {path}", field="recipe")
        raw, identity, beside = path.read_bytes(), str(path.resolve()), path.parent
    if identity in seen:
        raise TrainingError(f"{recipe_label(name_or_path)} extends itself", field=EXTENDS)
    try:
        table = tomllib.loads(raw.decode())
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both one
        raise TrainingError(f"not valid TOML: {error}", field="recipe") from error
    base = table.pop(EXTENDS, None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise TrainingError("names one recipe, as text", field=EXTENDS)
    return merged(_resolved(base, beside, (*seen, identity)), {"name": recipe_label(name_or_path)} | table)


def _read_shipped(name: str) -> bytes:
    if name not in shipped_recipes():
        raise TrainingError(
            f"{name!r} is not a shipped recipe",
            field="recipe",
            fix=f"use a .toml file or one of {', '.join(shipped_recipes())}",
        )
    return (_shipped() / f"{name}.toml").read_bytes()


def _shipped() -> Traversable:
    return resources.files("train") / "recipes"
