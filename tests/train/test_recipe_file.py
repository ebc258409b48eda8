"""What a recipe extends is merged in beneath it, key by key, and nothing extends itself."""

from pathlib import Path

import pytest

from encode.errors import TrainingError
from train.recipe import load_recipe
from train.recipe_file import merged, read_recipe_file


def test_tables_are_merged_and_arrays_replaced() -> None:
    base = {"losses": [1, 2], "batch": {"people": 4, "shares": {"a": 0.5}}, "seed": 1}
    over = {"losses": [3], "batch": {"samples": 2, "shares": {"b": 0.1}}, "extra": {"key": 1}}
    assert merged(base, over) == {
        "losses": [3],
        "batch": {"people": 4, "samples": 2, "shares": {"a": 0.5, "b": 0.1}},
        "seed": 1,
        "extra": {"key": 1},
    }
    assert base == {"losses": [1, 2], "batch": {"people": 4, "shares": {"a": 0.5}}, "seed": 1}


def test_a_recipe_extends_a_shipped_one_through_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.toml").write_text('extends = "face"\nname = "base"\n[optimisation]\nsteps = 7\n')
    (tmp_path / "sub" / "short.toml").write_text(
        'extends = "../base.toml"\nlosses = [{ kind = "supcon" }]\n[optimisation]\nwarmup = 3\n'
    )
    face, short = load_recipe("face"), load_recipe(str(tmp_path / "sub" / "short.toml"))
    assert (short.name, load_recipe(str(tmp_path / "base.toml")).name) == ("short", "base")
    assert [term.kind for term in short.losses] == ["supcon"]
    assert (short.optimisation.steps, short.optimisation.warmup) == (7, 3)
    assert short.optimisation.rate == face.optimisation.rate
    assert short.preprocessing == face.preprocessing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "a.toml"', "a extends itself"),
        ('extends = "b.toml"', "a extends itself"),
        ('extends = "absent.toml"', "there is no recipe"),
        ('extends = "fase"', "'fase' is not a shipped recipe"),
        ("extends = 3", "names one recipe"),
        ('extends = "face"\n[optimisation]\nstep = 3', "unknown key 'step'"),
    ],
)
def test_what_cannot_be_extended_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(TrainingError, match=message):
        load_recipe(str(tmp_path / "a.toml"))


def test_extends_is_no_key_of_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "face"\n')
    assert read_recipe_file(str(tmp_path / "a.toml")) == read_recipe_file("face") | {"name": "a"}
