"""Damaged files of every kind: an error of the one tree with a message, or the same content; never a traceback."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing.file_kind import Kind
from fuzzing.file_seeds import seeds
from fuzzing.files import fuzz_files, try_one

NAMES = (
    *(
        f"bundle: {part}"
        for part in ("MODEL_CARD.md", "background.npz", "encoder.onnx", "manifest.json", "policy.json")
    ),
    *("export", "export, digest made to fit", "database", "policy file", "key file", "token file", "settings"),
    *("strokes", "scores", "audit log", "receipt", "certificate"),
)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return {kind.name: kind for kind in seeds(tmp_path_factory.mktemp("files"))}


def test_every_kind_is_tried(kinds: dict[str, Kind]) -> None:
    assert tuple(kinds) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_in_kind(kinds: dict[str, Kind], name: str) -> None:
    kind = kinds[name]
    for whole in kind.whole:
        kind.read(whole)

    @given(st.integers(0, 2**32))
    @settings(max_examples=25)
    def one(seed: int) -> None:
        assert try_one(random.Random(seed), kind)[1] == ""

    one()


def test_the_campaign_tells_of_a_reader_that_lets_damage_through(tmp_path: Path) -> None:
    def careless(data: bytes) -> bytes:
        return data

    def fragile(data: bytes) -> bytes:
        raise KeyError("unforeseen")

    draws = [random.Random(n) for n in range(20)]
    assert any("changed content" in try_one(draw, Kind("a", (b"whole",), careless, sealed=True))[1] for draw in draws)
    assert "unforeseen" in try_one(random.Random(1), Kind("a", (b"whole",), fragile))[1]
    assert fuzz_files(0, 1, tmp_path / "none") == []
