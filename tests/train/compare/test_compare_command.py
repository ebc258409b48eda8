"""`countersign train`: a recipe without a command's name is trained; `compare` runs a matrix from files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from countersign.main import app
from train.compare.people import Setting

RECIPE = """
network = "residual"
margin = [4, 3]
preprocessing = [
    { step = "colour", mode = "L" },
    { step = "resize", height = 32, width = 24, filter = "bilinear" },
    { step = "scale", per_image = true },
]
network_options = { channels = [4, 8, 8, 8], blocks = [1, 1, 1, 1], embedding = 16, dropout = 0.1 }
batch = { people = 4, samples = 3 }
optimisation = { steps = 3, warmup = 2, evaluate_every = 2, bf16 = false, ema = 0.9 }
name = "base"
losses = [{ kind = "supcon" }]
"""


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    (tmp_path / "base.toml").write_text(RECIPE)
    (tmp_path / "wide.toml").write_text('extends = "base.toml"\nlosses = [{ kind = "hadsell2006", margin = 1.5 }]\n')
    return [str(tmp_path / "base.toml"), str(tmp_path / "wide.toml")]


def test_a_recipe_needs_no_command() -> None:
    runner = CliRunner()
    for words in (["train", "face"], ["train", "run", "face"], ["train", "--out", "x", "face"]):
        result = runner.invoke(app, words)
        assert result.exit_code == 2
        assert "--corpus" in result.output
    helped = runner.invoke(app, ["train", "--help"])
    assert helped.exit_code == 0
    assert "compare" in helped.output


def test_a_matrix_from_files(recipes: list[str], setting: Setting, tmp_path: Path) -> None:
    words = ["train", "compare", *recipes, "--seeds", "1", "--replicates", "100"]
    words += [word for spec in setting.corpora for word in ("--corpus", spec)]
    result = CliRunner().invoke(app, [*words, "--threads", "1", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "out" / "table.md") in result.output
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (found["reference"], [one["label"] for one in found["recipes"]]) == ("base", ["base", "wide"])


def test_torchrun_would_do_everything_twice(
    recipes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    words = ["train", "compare", *recipes, "--corpus", "folder:x", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 9
    assert "no work for torchrun" in result.output


def test_one_recipe_is_no_comparison(recipes: list[str], tmp_path: Path) -> None:
    words = ["train", "compare", recipes[0], "--corpus", "folder:x", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert "two recipes or more are compared" in result.output
