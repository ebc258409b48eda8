"""Synthetic people on disk, a recipe small enough to train in a second, and torch on one thread."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encode.sample import Modality, StrokesSample
from eval.corpora.corpus import Corpus, Row
from eval.corpora.folder import read_folder
from train.people_split import Role, role_of
from train.pixels import PixelSet, load_pixels
from train.recipe import Recipe, parse_recipe

HEIGHT, WIDTH = 32, 24

WriteFaces = Callable[..., Path]
Sign = Callable[[str, int, bool], StrokesSample]
MakeSigners = Callable[..., Corpus]
MakeRecipe = Callable[..., Recipe]
PenTrace = Callable[..., NDArray[np.float64]]
Named = Callable[..., list[str]]


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
def named() -> Named:
    """``named(corpus, training=…, background=…, …)``: people whose names put them into these roles, so many in each."""

    def find(corpus: str, **wanted: int) -> list[str]:
        found: list[str] = []
        left = {Role(role): count for role, count in wanted.items()}
        number = 0
        while any(left.values()):
            name, number = f"q{number:04}", number + 1
            role = role_of(f"{corpus}/{name}")
            if left.get(role, 0):
                left[role] -= 1
                found.append(name)
        return found

    return find


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


def _sign(person: str, shot: int, forged: bool) -> StrokesSample:
    """64 points at 100 Hz: a sum of waves of the person's own; a forger knows the shape and has another pace."""
    draw = np.random.default_rng(list(person.encode()))
    own = np.random.default_rng([shot, int(forged), *person.encode()])
    amplitudes, phases = draw.uniform(20, 100, (2, 4)), draw.uniform(0, 2 * np.pi, (2, 4))
    amplitudes = amplitudes * own.uniform(0.95, 1.05, (2, 4))
    phases = phases + own.uniform(-0.1, 0.1, (2, 4))
    u = np.linspace(0.0, 1.0, 64) ** (1.6 if forged else 1.0)
    waves = 2 * np.pi * u[:, None] * np.array([1.0, 2.0, 3.0, 5.0])
    x, y = ((amplitudes[axis] * np.sin(waves + phases[axis])).sum(1) for axis in (0, 1))
    down = np.arange(64) % 23 != 22
    return StrokesSample(tuple(x + 200 * u), tuple(y), tuple(np.arange(64) * 10.0), (), tuple(down.tolist()))


@pytest.fixture(scope="session")
def sign() -> Sign:
    """``sign(person, shot, forged)``: one synthetic signature."""
    return _sign


@pytest.fixture(scope="session")
def make_signers() -> MakeSigners:
    """``make_signers(name, people, genuine=8, forgeries=4, unforged=())``: signatures in memory, read as from files."""

    def make(
        name: str, people: list[str], genuine: int = 8, forgeries: int = 4, unforged: tuple[str, ...] = ()
    ) -> Corpus:
        def row(person: str, shot: int, forged: bool) -> Row:
            return Row(
                id=f"{person}-{'f' if forged else 'g'}{shot:02}",
                path=Path("nowhere"),
                person=person,
                modality=Modality.SIGNATURE,
                kind="forgery" if forged else "genuine",
                order=shot,
                loader=lambda _: _sign(person, shot, forged),
            )

        rows = [row(person, shot, False) for person in people for shot in range(genuine)]
        rows += [row(person, shot, True) for person in people if person not in unforged for shot in range(forgeries)]
        return Corpus(name, rows)

    return make


@pytest.fixture(scope="session")
def make_signature_recipe() -> MakeRecipe:
    """``make_signature_recipe(steps=…, …)``: the shipped 1993 recipe, cut down to a few pairs and steps."""

    def make(steps: int = 4, **changes: Any) -> Recipe:
        data: dict[str, Any] = {
            "name": "tiny signatures",
            "modality": "signature",
            "network": "bromley1993",
            "preprocessing": [{"step": "bromley1993"}],
            "losses": [{"kind": "bromley1993"}],
            "network_options": {"unit_norm": True},
            "batch": {"pairs": 20, "forged": 0.4, "others": 0.1},
            "jitter": {"views": 2},
            "identity": {"kind": "spherical", "recent": 6, "anchors": 0},
        }
        plan = {"steps": steps, "warmup": 2, "evaluate_every": 2, "bf16": False, "ema": 0.9, "rate": 5e-3}
        return parse_recipe(data | changes | {"optimisation": plan | changes.get("optimisation", {})})

    return make


@pytest.fixture(scope="session")
def pen_trace() -> PenTrace:
    """``pen_trace(count=100, seed=0, pressure=True, lifts=2)``: float64 (4, count), loops as `encode.pen_frames` has
    them: in the middle, of size 1, with a gap ahead of each of `lifts` later strokes."""

    def draw(count: int = 100, seed: int = 0, *, pressure: bool = True, lifts: int = 2) -> NDArray[np.float64]:
        generator = np.random.default_rng(seed)
        u = np.linspace(0.0, 1.0, count)
        waves = 2 * np.pi * u[:, None] * np.array([1.0, 2.0, 3.0, 5.0])
        draws = generator.uniform(0.3, 1.0, (3, 4)), generator.uniform(0.0, 2 * np.pi, (3, 4))
        rows = np.stack([(size * np.sin(waves + phase)).sum(1) for size, phase in zip(*draws, strict=True)])
        rows[0] += 3.0 * u
        rows -= rows.mean(1, keepdims=True)
        rows[:2] /= np.sqrt((rows[:2] ** 2).mean())
        rows[2] = rows[2] / rows[2].std() if pressure else 0.0
        gap = np.zeros(count)
        gap[count * np.arange(1, lifts + 1) // (lifts + 1)] = generator.uniform(0.3, 1.5, lifts)
        return np.concatenate([rows, gap[None]])

    return draw


@pytest.fixture(scope="session")
def make_pen_recipe() -> MakeRecipe:
    """``make_pen_recipe(steps=…, …)``: the modern signature network of width 8 on episodes of three writers."""

    def make(steps: int = 4, **changes: Any) -> Recipe:
        data: dict[str, Any] = {
            "name": "tiny pen",
            "modality": "signature",
            "network": "pen_residual",
            "members": 2,
            "preprocessing": [{"step": "pen_frames", "rate": 20.0, "frames": 64}],
            "network_options": {
                "width": 8,
                "stem": 8,
                "embedding": 8,
                "frame": 4,
                "dilations": [2],
                "late_dilations": [1],
                "heads": 2,
                "windows": 3,
                "window_width": 4,
            },
            "episodes": {"writers": 3, "references": 2, "genuine": 2, "forgeries": 1, "distorted": 1, "random": 1},
            "pen_variation": {"longest": 40},
            "matching": {"sets": ["shape"], "parts": ["path_change"], "learned": 0.5},
            "identity": {"kind": "map", "strength": 15.0},
        }
        plan = {"steps": steps, "warmup": 2, "evaluate_every": 2, "bf16": False, "schedule": "constant"}
        return parse_recipe(data | changes | {"optimisation": plan | changes.get("optimisation", {})})

    return make
