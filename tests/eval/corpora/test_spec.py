"""How a command names a corpus: the reader, the path, the options, and where a relative path is looked for."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from encode.errors import CorpusInvalid, CorpusMissing
from encode.sample import CropBox
from eval.corpora.folder import LFW_BOX
from eval.corpora.spec import DATA_VARIABLE, READERS, open_corpus

WritePeople = Callable[[dict[str, Iterable[str]]], Path]


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


@pytest.fixture
def faces(write_people: WritePeople) -> Path:
    return write_people({"anna": ["1.png", "2.png"], "boris": ["1.png"]})


def test_a_folder_is_named_after_itself(faces: Path) -> None:
    for spec in (f"folder:{faces}", str(faces), f"{faces}/"):
        corpus = open_corpus(spec)
        assert (corpus.name, corpus.people) == ("faces", ("anna", "boris"))


def test_a_path_of_dots_gets_the_folders_name(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(faces)
    assert open_corpus("folder:.").name == "faces"
    monkeypatch.chdir(faces / "anna")
    assert open_corpus("..").name == "faces"


def test_a_table_is_told_by_its_suffix(faces: Path) -> None:
    table = faces / "two.csv"
    table.write_text("path,person,modality,kind\nanna/1.png,anna,face,genuine\n")
    for spec in (f"manifest:{table}", str(table)):
        corpus = open_corpus(spec)
        assert (corpus.name, len(corpus)) == ("two", 1)
    with pytest.raises(CorpusMissing, match="no manifest"):
        open_corpus(str(faces / "absent.parquet"))


def test_lfw_and_att_have_names_of_their_own(faces: Path, write_people: WritePeople) -> None:
    assert open_corpus(f"lfw:{faces}").name == "lfw"
    assert {row.crop for row in open_corpus(f"lfw:{faces}").rows} == {LFW_BOX}
    images = [f"{number}.pgm" for number in range(1, 11)]
    att = write_people({f"s{number}": images for number in range(1, 41)}, "orl")  # type: ignore[call-arg]
    assert open_corpus(f"att:{att}").name == "att"


@pytest.mark.parametrize("reader", ["folder", "flat"])
def test_a_crop_box_stands_behind_the_path(faces: Path, reader: str) -> None:
    path = faces if reader == "folder" else faces / "anna"
    corpus = open_corpus(f"{reader}:{path}?crop=1,2,18,20")
    assert {row.crop for row in corpus.rows} == {CropBox(1, 2, 18, 20)}
    assert corpus.name == path.name


@pytest.mark.parametrize(
    "query",
    ["crop=1,2,3", "crop=1,2,3,4,5", "crop=a,b,c,d", "crop=-1,0,5,5", "crop=", "crop", "box=1,2,3,4", "crop=1,2,3,²"],
)
def test_a_crop_box_that_is_none_is_refused(faces: Path, query: str) -> None:
    with pytest.raises(CorpusInvalid, match="is not an option") as caught:
        open_corpus(f"folder:{faces}?{query}")
    assert caught.value.field == "corpus"


@pytest.mark.parametrize("reader", ["lfw", "att", "manifest"])
def test_an_option_is_never_ignored(faces: Path, reader: str) -> None:
    with pytest.raises(CorpusInvalid, match="takes no option"):
        open_corpus(f"{reader}:{faces}?crop=1,2,18,20")


def test_an_unknown_reader_is_told_the_known_ones() -> None:
    with pytest.raises(
        CorpusInvalid, match=r"'zip' is not a corpus reader .*att, lfw, manifest, svc2004, susig, .*flat, olivetti"
    ):
        open_corpus("zip:faces.zip")


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "olivetti"])
def test_a_reader_needs_a_path(reader: str) -> None:
    with pytest.raises(CorpusInvalid, match=f"no path .*write {reader}:PATH"):
        open_corpus(f"{reader}:")
    with pytest.raises(CorpusInvalid, match="no path"):
        open_corpus("")


@pytest.mark.parametrize("spec", ["absent", "folder:absent", "att:absent", "lfw:absent", "flat:absent", "absent.csv"])
def test_a_missing_path_is_said_to_be_missing(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusMissing, match="absent"):
        open_corpus(spec)


def test_a_relative_path_is_looked_for_under_the_data_folder_too(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv(DATA_VARIABLE, str(faces.parent))
    assert open_corpus("folder:faces").people == ("anna", "boris")
    assert open_corpus("faces").people == ("anna", "boris")
    with pytest.raises(CorpusMissing):
        open_corpus("folder:absent")


def test_what_exists_here_goes_before_the_data_folder(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., bytes]
) -> None:
    near = tmp_path / "near" / "faces" / "carla"
    near.mkdir(parents=True)
    (near / "1.png").write_bytes(picture())
    monkeypatch.chdir(tmp_path / "near")
    monkeypatch.setenv(DATA_VARIABLE, str(faces.parent))
    assert open_corpus("folder:faces").people == ("carla",)
    assert open_corpus(f"folder:{faces}").people == ("anna", "boris")


def test_the_home_folder_is_understood(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(faces.parent))
    assert open_corpus("folder:~/faces").people == ("anna", "boris")
