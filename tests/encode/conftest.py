"""A sealed bundle to read, copies of it to damage, the tools to damage them with; and a written signature."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from encode.bundle import Bundle, bundle_digest
from encode.manifest import MANIFEST, Manifest, sha256_hex
from encode.sample import StrokesSample

Fields = dict[str, Any]
EditManifest = Callable[[Path, Callable[[Fields], object]], None]
Reseal = Callable[[Path, str, bytes], None]
Written = Callable[..., StrokesSample]

SIZE = 6


@pytest.fixture(scope="session")
def plain_background() -> dict[str, NDArray[np.float64]]:
    return {"mean": np.arange(SIZE) * 0.1, "total": np.eye(SIZE), "within": 0.1 * np.eye(SIZE)}


@pytest.fixture(scope="session")
def sealed(
    seal_tiny: Callable[..., Bundle],
    plain_background: dict[str, NDArray[np.float64]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "tiny"
    seal_tiny(folder, background=plain_background, policy=b"{}", card="# Tiny\n\nTrained on nobody, naïve.\n")
    return folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(sealed, tmp_path / "tiny"))


def sealed_again(fields: Fields) -> Fields:
    """With the manifest's own digest made to fit, so that what lies behind it is tested; unless it is no manifest."""
    with suppress(ValidationError):
        fields["manifest_digest"] = Manifest.model_validate(fields).own_digest()
    return fields


@pytest.fixture(scope="session")
def edit_manifest() -> EditManifest:
    """``edit_manifest(folder, change)`` changes the fields of manifest.json and nothing else but its own digest."""

    def edit(folder: Path, change: Callable[[Fields], object]) -> None:
        fields = json.loads((folder / MANIFEST).read_bytes())
        change(fields)
        (folder / MANIFEST).write_text(json.dumps(sealed_again(fields)))

    return edit


@pytest.fixture(scope="session")
def reseal() -> Reseal:
    """``reseal(folder, part, data)`` replaces a part and makes every digest fit: what a hostile author could do."""

    def write(folder: Path, name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        fields = json.loads((folder / MANIFEST).read_bytes())
        fields["parts"][name] = sha256_hex(data)
        fields["model_digest"] = bundle_digest(Manifest.model_validate(fields), fields["parts"])
        (folder / MANIFEST).write_text(json.dumps(sealed_again(fields)))

    return write


@pytest.fixture(scope="session")
def written() -> Written:
    """``written(points=..., seed=..., **fields)``: loops in two strokes, 100 Hz, with `fields` in place of its own."""

    def write(*, points: int = 120, seed: int = 0, **fields: Any) -> StrokesSample:
        a, b, c = np.random.default_rng(seed).uniform(0.8, 1.2, 3)
        u = np.linspace(0.0, 1.0, points)
        down = np.ones(points, bool)
        down[[0, points // 2]] = False
        own = {
            "x": 100.0 + 900.0 * a * u + 80.0 * np.sin(30.0 * b * u),
            "y": 500.0 + 200.0 * np.sin(25.0 * c * u) * (1.0 - 0.3 * u),
            "t": 10.0 * np.arange(points),
            "pen_down": down,
        }
        return StrokesSample(**{name: tuple(np.asarray(values).tolist()) for name, values in (own | fields).items()})

    return write
