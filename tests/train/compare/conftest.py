"""A matrix of two tiny recipes on synthetic people, run once for the tests that look at what came of it."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eval.drawings.style import Drawing
from train.compare.comparison import Comparison, compare_recipes
from train.compare.matrix import Matrix
from train.compare.people import Setting
from train.recipe import Recipe

MakeRecipe = Callable[..., Recipe]
Calls = list[tuple[str, int, int]]


@dataclass
class Ran:
    """A comparison, where it was written, and what it reported."""

    comparison: Comparison
    setting: Setting
    out: Path
    progress: Calls = field(default_factory=list)

    @property
    def trained(self) -> set[str]:
        """The runs that took a step."""
        return {stage for stage, _, _ in self.progress if stage not in ("read", "embed", "runs")}


Compare = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than the runs: those of `ran`, made before this, are drawn, and no others."""
    monkeypatch.setattr(Drawing, "save", lambda drawing, folder: [])
    monkeypatch.setattr(Drawing, "inline", lambda drawing: "")


@pytest.fixture(scope="session")
def setting(
    tmp_path_factory: pytest.TempPathFactory, write_faces: Callable[..., Path], named: Callable[..., list[str]]
) -> Setting:
    """Two corpora to train on, and a third to test on."""
    root = tmp_path_factory.mktemp("matrix")
    write_faces(root / "crowd", named("crowd", training=6, background=5, policy=6))
    write_faces(root / "town", named("town", training=3, background=4, policy=2))
    write_faces(root / "guests", [f"guest{number}" for number in range(4)], samples=5)
    return Setting(
        corpora=(f"folder:{root / 'crowd'}", f"folder:{root / 'town'}"),
        tests=(f"folder:{root / 'guests'}",),
        references=3,
        draws=2,
        replicates=200,
    )


@pytest.fixture(scope="session")
def pair(make_recipe: MakeRecipe) -> dict[str, Recipe]:
    """Two recipes that differ in their losses."""
    return {
        "supcon": make_recipe(4, losses=[{"kind": "supcon"}]),
        "pairs": make_recipe(4, losses=[{"kind": "hadsell2006", "margin": 1.2}]),
    }


@pytest.fixture(scope="session")
def compare() -> Compare:
    """``compare(recipes, setting, out, seeds=1, …)``."""

    def run(recipes: dict[str, Recipe], setting: Setting, out: Path, seeds: int = 1, **options: Any) -> Ran:
        calls: Calls = []
        found = compare_recipes(
            Matrix(recipes, seeds), setting, out, progress=lambda *given: calls.append(given), **options
        )
        return Ran(found, setting, out, calls)

    return run


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory, compare: Compare, setting: Setting, pair: dict[str, Recipe]) -> Ran:
    """Both recipes with two seeds, without a corpus to test on: sealing takes longer than all else."""
    bare = dataclasses.replace(setting, tests=())
    return compare(
        pair, bare, tmp_path_factory.mktemp("compared") / "out", seeds=2, command="countersign train compare"
    )
