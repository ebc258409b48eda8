"""Folders of images → rows: who is in them, in which order, and what is not an image of anybody."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from encode.errors import CorpusInvalid, CorpusMissing
from encode.sample import CropBox, ImageSample, Modality, StrokesSample
from encode.stroke_files import write_strokes_csv, write_strokes_json
from eval.corpora.corpus import Corpus
from eval.corpora.folder import LFW_BOX, read_att, read_flat, read_folder, read_lfw

WritePeople = Callable[[dict[str, Iterable[str]]], Path]


def test_every_folder_is_a_person_and_every_image_a_sample(write_people: WritePeople) -> None:
    root = write_people({"anna": ["1.png", "2.jpg", "10.PGM"], "boris": ["x.jpeg"]})
    corpus = read_folder(root, name="faces")
    assert corpus.people == ("anna", "boris")
    assert [row.id for row in corpus.genuine("anna")] == ["anna/1.png", "anna/2.jpg", "anna/10.PGM"]
    assert [row.order for row in corpus.genuine("anna")] == [1, 2, 10]
    assert corpus.genuine("boris")[0].order is None
    assert {row.modality for row in corpus.rows} == {Modality.FACE}
    assert {row.kind for row in corpus.rows} == {"genuine"}
    loaded = corpus.genuine("boris")[0].load()
    assert loaded == ImageSample((root / "boris" / "x.jpeg").read_bytes())


def test_ids_do_not_depend_on_where_the_folder_is(write_people: WritePeople) -> None:
    digests = {read_folder(write_people({"anna": ["1.png"]}, name), name="x").digest for name in ("one", "two")}  # type: ignore[call-arg]
    assert len(digests) == 1


def test_what_is_no_image_is_passed_over(write_people: WritePeople) -> None:
    root = write_people({"anna": ["1.png"], ".cache": ["1.png"], "empty": []})
    (root / "README.txt").write_text("about")
    (root / "loose.png").write_bytes(b"in nobody's folder")
    (root / "anna" / "notes.txt").write_text("about anna")
    (root / "anna" / "._1.png").write_bytes(b"metadata beside the picture")
    (root / "anna" / "folder.png").mkdir()
    assert [row.id for row in read_folder(root, name="faces").rows] == ["anna/1.png"]


def test_stroke_files_are_signatures_beside_the_faces(write_people: WritePeople) -> None:
    root = write_people({"anna": ["1.png"]})
    strokes = StrokesSample(x=(1.0, 2.0), y=(3.0, 4.0), t=(0.0, 10.0))
    for name in ("a_2.csv", "._a_2.csv"):
        (root / "anna" / name).write_bytes(write_strokes_csv(strokes))
    (root / "anna" / "b_3.JSON").write_bytes(write_strokes_json(strokes))
    (root / "anna" / "U1S4.TXT").write_text("2\n1 3 500 1\n2 4 510 1\n")
    (root / "anna" / "notes.txt").write_text("about anna")
    corpus = read_folder(root, name="both", crop=CropBox(1, 2, 18, 20))
    assert [(row.id, row.modality, row.order) for row in corpus.genuine("anna")] == [
        ("anna/1.png", Modality.FACE, 1),
        ("anna/a_2.csv", Modality.SIGNATURE, 2),
        ("anna/b_3.JSON", Modality.SIGNATURE, 3),
        ("anna/U1S4.TXT", Modality.SIGNATURE, 4),
    ]
    face, *signatures = corpus.genuine("anna")
    assert face.crop == CropBox(1, 2, 18, 20)
    assert [row.crop for row in signatures] == [None] * 3
    assert [row.load() for row in signatures] == [strokes, strokes, replace(strokes, pen_down=(True, True))]
    assert [row.modality for row in read_lfw(root, name="lfw").rows] == [Modality.FACE]


def test_a_crop_box_goes_to_every_row(write_people: WritePeople) -> None:
    box = CropBox(1, 2, 18, 20)
    assert {row.crop for row in read_folder(write_people({"anna": ["1.png"]}), name="f", crop=box).rows} == {box}


@pytest.mark.parametrize("read", [read_folder, read_att, read_lfw, read_flat])
def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path, read: Callable[..., Corpus]) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(CorpusMissing, match="there is no folder"):
            read(path, name="x")


@pytest.mark.parametrize(
    ("read", "layout"), [(read_folder, "DIR/<person>/<sample>"), (read_lfw, "DIR/<Name>/<Name>_0001.jpg")]
)
def test_a_folder_without_people_says_how_to_lay_it_out(
    tmp_path: Path, read: Callable[..., Corpus], layout: str
) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(CorpusInvalid, match=layout):
        read(tmp_path, name="x")


def test_att_is_forty_people_with_ten_images(write_people: WritePeople) -> None:
    images = [f"{number}.pgm" for number in range(1, 11)]
    root = write_people({f"s{number}": images for number in range(1, 41)})
    (root / "README").write_text("about")
    corpus = read_att(root, name="att")
    assert (len(corpus.people), len(corpus)) == (40, 400)
    assert [row.order for row in corpus.genuine("s7")] == list(range(1, 11))
    (root / "s40" / "10.pgm").unlink()
    with pytest.raises(CorpusInvalid, match="40 people and 399 images"):
        read_att(root, name="att")


def test_a_part_of_att_is_refused(write_people: WritePeople) -> None:
    root = write_people({"s1": ["1.pgm"], "other": ["1.pgm"]})
    with pytest.raises(CorpusInvalid, match="1 people and 1 images found, AT&T has 40 and 400"):
        read_att(root, name="att")


def test_lfw_is_read_through_one_box(write_people: WritePeople) -> None:
    corpus = read_lfw(write_people({"Ann_Lee": ["Ann_Lee_0002.jpg", "Ann_Lee_0001.jpg"]}), name="lfw")
    assert [(row.order, row.crop) for row in corpus.genuine("Ann_Lee")] == [(1, LFW_BOX), (2, LFW_BOX)]
    assert 0 <= LFW_BOX.left < LFW_BOX.right <= 250
    assert 0 <= LFW_BOX.top < LFW_BOX.bottom <= 250


def test_a_flat_folder_is_one_person_an_image(write_people: WritePeople) -> None:
    root = write_people({"all": ["anna.png", "boris.png", "carla_12.png"]})
    corpus = read_flat(root / "all", name="flat", crop=CropBox(0, 0, 20, 20))
    assert corpus.people == ("anna", "boris", "carla_12")
    assert [row.id for row in corpus.rows] == ["anna.png", "boris.png", "carla_12.png"]
    assert {row.crop for row in corpus.rows} == {CropBox(0, 0, 20, 20)}


def test_an_empty_flat_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusInvalid, match="holds no samples"):
        read_flat(tmp_path, name="flat")
