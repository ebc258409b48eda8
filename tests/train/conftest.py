"""Synthetic people on disk, a recipe small enough to train in a second, and torch on one thread."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eval.corpora.corpus import Corpus
from eval.corpora.folder import read_folder
from train.pixels import PixelSet, load_pixels
from train.recipe import Recipe, parse_recipe

HEIGHT, WIDTH = 32, 24

WriteFaces = Callable[..., Path]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order: the bitwise comparisons of runs need it, and the other tests of a shared machine too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache(maxsize=4096)
def _face(person: str, shot: int) -> NDArray[np.uint8]:
    """uint8 (48, 40): a coarse pattern of the person's, moved a little and under other light in every shot."""
    draw = np.random.default_rng(list(person.encode()))
    coarse = draw.uniform(40, 215, size=(8, 7))
    own = np.random.default_rng([shot, *person.encode()])
    fine = np.kron(coarse, np.ones((8, 8)))
    top, left = own.integers(0, 9), own.integers(0, 9)
    light = own.uniform(0.85, 1.15) * fine[top : top + 48, left : left + 40]
    pixels: NDArray[np.uint8] = np.clip(light + own.normal(0, 8, (48, 40)), 0, 255).astype(np.uint8)
    return pixels


@pytest.fixture(scope="session")
def face() -> Callable[[str, int], NDArray[np.uint8]]:
    """``face(person, shot)``: the pixels of one synthetic picture."""
    return _face


@pytest.fixture(scope="session")
def write_faces(encoded: Callable[..., bytes]) -> WriteFaces:
    """``write_faces(root, people, samples)``: a folder per person with numbered PNG files; returns `root`."""

    def write(root: Path, people: list[str], samples: int = 4) -> Path:
        for person in people:
            (root / person).mkdir(parents=True)
            for shot in range(samples):
                (root / person / f"{shot + 1}.png").write_bytes(encoded(_face(person, shot)))
        return root

    return write


@pytest.fixture(scope="session")
def make_recipe() -> MakeRecipe:
    """``make_recipe(steps=…, losses=…, optimisation={…}, …)``: a tiny residual network, a few steps, no autocast."""

    def make(steps: int = 4, **changes: Any) -> Recipe:
        data: dict[str, Any] = {
            "name": "tiny",
            "network": "residual",
            "margin": [4, 3],
            "preprocessing": [
                {"step": "colour", "mode": "L"},
                {"step": "resize", "height": HEIGHT, "width": WIDTH, "filter": "bilinear"},
                {"step": "scale", "per_image": True},
            ],
            "losses": [
                {"kind": "hadsell2006", "margin": 1.2, "hard": True},
                {"kind": "supcon"},
                {"kind": "cosface", "margin": 0.3},
            ],
            "network_options": {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding": 16, "dropout": 0.1},
            "batch": {"people": 4, "samples": 3},
        }
        plan = {"steps": steps, "warmup": 2, "evaluate_every": 2, "bf16": False, "ema": 0.9}
        return parse_recipe(data | changes | {"optimisation": plan | changes.get("optimisation", {})})

    return make


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory, write_faces: WriteFaces) -> Corpus:
    """Ten people with four pictures each."""
    root = tmp_path_factory.mktemp("people")
    return read_folder(write_faces(root, [f"p{number:02}" for number in range(10)]), name="people")


@pytest.fixture(scope="session")
def training(people: Corpus, make_recipe: MakeRecipe) -> PixelSet:
    """Six of the people, as pixels."""
    recipe = make_recipe()
    return load_pixels(people.only(people.people[:6]), recipe.steps(), margin=recipe.margin)


@pytest.fixture(scope="session")
def background(people: Corpus, make_recipe: MakeRecipe) -> PixelSet:
    """The other four."""
    recipe = make_recipe()
    return load_pixels(people.only(people.people[6:]), recipe.steps(), margin=recipe.margin)
