"""Folders of small faces on disk, laid out as the readers expect."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

Encoded = Callable[..., bytes]
WritePeople = Callable[..., Path]


@pytest.fixture(scope="session")
def picture(encoded: Encoded) -> Callable[..., bytes]:
    """``picture(seed, format)``: the bytes of a 24 x 20 grey image."""
    return lambda seed=0, format="PNG": encoded(
        np.random.default_rng(seed).integers(0, 256, (24, 20), dtype=np.uint8), format
    )


@pytest.fixture
def write_people(tmp_path: Path, picture: Callable[..., bytes]) -> WritePeople:
    """``write_people({"anna": ["1.png", "2.jpg"]})``: a folder per person; returns the folder above."""

    def write(people: dict[str, Iterable[str]], name: str = "faces") -> Path:
        root = tmp_path / name
        for number, (person, files) in enumerate(people.items()):
            (root / person).mkdir(parents=True)
            for file in files:
                format = {"jpg": "JPEG", "pgm": "PPM"}.get(Path(file).suffix[1:].lower(), "PNG")
                (root / person / file).write_bytes(picture(number, format))
        return root

    return write
