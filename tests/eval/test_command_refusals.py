"""What `countersign eval` refuses before it starts to work: places it cannot write to, options without a say."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from countersign.commands.outputs import require_file, require_folder
from encode.errors import ConfigError


def refused(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--leave-one-out", "--references", 3), "references: --references has no say with --leave-one-out"),
        (("--leave-one-out", "--draws", 3), "draws: --draws has no say with --leave-one-out"),
        (("--trials", "pairs.txt", "--references", 3), "references: --references has no say with --trials"),
        (("--trials", "pairs.txt", "--reference-pool", 3), "reference_pool: --reference-pool has no say"),
        (("--split", "folds=5", "--write-policy", "random"), "write_policy: --write-policy has no say with --split"),
    ],
)
def test_an_option_that_another_leaves_without_a_say(tmp_path: Path, options: tuple[object, ...], said: str) -> None:
    words = ("run", f"folder:{tmp_path / 'absent'}", "--bundle", tmp_path, "--out", tmp_path / "out")
    code, told = refused(*words, *options)
    assert code == 3
    assert said in told
    assert "leave" in told


@pytest.mark.parametrize(
    "words",
    [
        ("run", "folder:absent", "--bundle", "absent", "--out", "{file}"),
        ("run", "folder:absent", "--bundle", "absent", "--out", "{file}/below/it"),
        ("scores", "absent.txt", "--out", "{file}"),
        ("compare", "absent", "other", "--out", "{file}"),
        ("fuse", "absent", "other", "--out", "{file}"),
        ("policy", "folder:absent", "--bundle", "absent", "--out", "{file}/policy.json"),
        ("policy", "folder:absent", "--bundle", "absent", "--out", "{folder}"),
        ("export", "absent", "--format", "plain", "--out", "{file}"),
        ("export", "absent", "--format", "idiap5", "--out", "{folder}"),
    ],
)
def test_where_it_cannot_write_it_does_not_begin(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "a file"
    file.touch()
    code, told = refused(*(word.format(file=file, folder=tmp_path) for word in words))
    assert code == 8, told
    assert told.startswith("error: out: ")


def test_what_is_not_there_yet_can_be_written(tmp_path: Path) -> None:
    require_folder(tmp_path / "new" / "below")
    require_file(tmp_path / "new" / "policy.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_nobody_may_write_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ConfigError, match="permission denied") as caught:
        require_folder(tmp_path / "new", "seal_into")
    assert caught.value.field == "seal_into"


def test_a_target_rate_out_of_range_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    words = ("policy", "folder:absent", "--bundle", "absent", "--out", tmp_path / "policy.json", "--target-far", 5)
    code, told = refused(*words)
    assert (code, told.startswith("error: target_far: a target FAR lies between 0 and 1, not at 5")) == (3, True)


@pytest.mark.parametrize(("corpus", "said"), [("embedings:x", "olivetti, embeddings)"), ("embeddings:", "no path")])
def test_a_misspelt_corpus_is_told_what_there_is(tmp_path: Path, corpus: str, said: str) -> None:
    code, told = refused("run", corpus, "--bundle", "models/face", "--out", tmp_path)
    assert code == 3
    assert told.startswith("error: corpus: ")
    assert said in told
