"""A corpus is its rows in one order, whatever order they came in, and a digest of what they are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from encode.errors import CorpusInvalid
from encode.sample import CropBox, ImageSample, Modality
from eval.corpora.corpus import Corpus, Row, merge


def row(id: str, person: str = "anna", **fields: object) -> Row:
    return Row(id=id, path=Path(id), person=person, **fields)  # type: ignore[arg-type]


def test_rows_stand_in_the_order_of_their_ids() -> None:
    corpus = Corpus("faces", [row("b", "boris"), row("a"), row("c")])
    assert [entry.id for entry in corpus.rows] == ["a", "b", "c"]
    assert len(corpus) == 3
    assert corpus.people == ("anna", "boris")


def test_a_persons_samples_follow_their_order_where_there_is_one() -> None:
    rows = [row("a10", order=10), row("a2", order=2), row("a1", order=1), row("a0"), row("f1", kind="forgery")]
    corpus = Corpus("faces", rows)
    assert [entry.id for entry in corpus.genuine("anna")] == ["a1", "a2", "a10", "a0"]
    assert [entry.id for entry in corpus.forgeries("anna")] == ["f1"]
    assert corpus.genuine("nobody") == []
    assert corpus.forgeries("nobody") == []


def test_someone_with_forgeries_only_is_one_of_the_people() -> None:
    assert Corpus("faces", [row("f", "carla", kind="forgery")]).people == ("carla",)


def test_no_samples_are_refused() -> None:
    with pytest.raises(CorpusInvalid, match="faces holds no samples"):
        Corpus("faces", [])


def test_an_id_that_occurs_twice_is_refused() -> None:
    with pytest.raises(CorpusInvalid, match="'x' occurs twice in faces") as caught:
        Corpus("faces", [row("x"), row("y"), row("x", "boris")])
    assert caught.value.field == "path"


def test_only_keeps_the_people_named() -> None:
    corpus = Corpus("faces", [row("a"), row("b", "boris"), row("c", "carla")])
    kept = corpus.only(["carla", "anna", "nobody"], name="two")
    assert (kept.name, kept.people) == ("two", ("anna", "carla"))
    assert corpus.only(["anna"]).name == "faces"
    with pytest.raises(CorpusInvalid):
        corpus.only(["nobody"])


def test_the_digest_does_not_depend_on_the_order() -> None:
    rows = [row("a"), row("b", "boris")]
    assert Corpus("x", rows).digest == Corpus("y", rows[::-1]).digest
    assert len(Corpus("x", rows).digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"id": "z"},
        {"person": "boris"},
        {"kind": "forgery"},
        {"modality": Modality.SIGNATURE},
        {"crop": CropBox(0, 0, 20, 20)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_what_the_samples_are(change: dict[str, object]) -> None:
    assert Corpus("x", [replace(row("a"), **change)]).digest != Corpus("x", [row("a")]).digest  # type: ignore[arg-type]


def test_the_digest_changes_with_the_crop_box_and_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    entry = Row(id="a", path=file, person="anna")
    absent = Corpus("x", [entry]).digest
    file.write_bytes(b"12")
    small = Corpus("x", [entry]).digest
    file.write_bytes(b"123")
    assert len({absent, small, Corpus("x", [entry]).digest}) == 3
    boxes = [Corpus("x", [replace(entry, crop=CropBox(0, 0, side, 20))]).digest for side in (20, 21)]
    assert boxes[0] != boxes[1]


def test_a_sample_is_read_when_asked_for(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    entry = Row(id="a", path=tmp_path / "a.png", person="anna", crop=CropBox(1, 2, 3, 4))
    with pytest.raises(FileNotFoundError):
        entry.load()
    (tmp_path / "a.png").write_bytes(picture())
    assert entry.load() == ImageSample(picture(), crop=CropBox(1, 2, 3, 4))


def test_merged_people_keep_apart_by_their_corpus() -> None:
    first, second = Corpus("x", [row("a"), row("b", "boris")]), Corpus("y", [row("a"), row("c", "carla")])
    merged = merge("x+y", [first, second])
    assert merged.name == "x+y"
    assert merged.people == ("x/anna", "x/boris", "y/anna", "y/carla")
    assert [entry.id for entry in merged.genuine("y/anna")] == ["y/a"]
    assert merged.genuine("y/anna")[0].path == Path("a")


def test_which_samples_may_be_references_survives_choosing_and_merging() -> None:
    first = Corpus("x", [row("a", may_enroll=False), row("b", "boris")], reference_rule="b alone")
    plain = Corpus("y", [row("a")])
    assert plain.reference_rule is None
    assert first.only(["anna"]).reference_rule == "b alone"
    merged = merge("x+y", [first, plain])
    assert merged.reference_rule == "x: b alone"
    assert [entry.may_enroll for entry in merged.rows] == [False, True, True]
    assert merge("y", [plain]).reference_rule is None


def test_corpora_of_one_name_are_not_merged() -> None:
    """Two folders called `faces` may both hold a person `1`, and they are not the same person."""
    with pytest.raises(CorpusInvalid, match="two corpora are called 'x'"):
        merge("all", (Corpus("x", [row(id)]) for id in ("a", "b")))
