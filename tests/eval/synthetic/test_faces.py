"""Synthetic people: the same from the same seed, alike within a person, different between people, nobody real."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encode.errors import ConfigError, CorpusInvalid, CorpusMissing, FieldInvalid
from eval.synthetic.faces import (
    GENERATOR,
    HEIGHT,
    LABEL,
    WIDTH,
    FaceGenerator,
    Spread,
    person_name,
    read_people,
    write_people,
)

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "models" / "synthetic-faces"
STILL = Spread(shift=0.0, zoom=0.0, noise=0.0)


@pytest.fixture(scope="module")
def shipped() -> FaceGenerator:
    return FaceGenerator.load(SHIPPED)


@pytest.fixture
def small() -> FaceGenerator:
    generator = np.random.default_rng(3)
    return FaceGenerator(
        generator.uniform(100, 150, (10, 8)).astype(np.float32),
        generator.normal(0, 9, (4, 10, 8)).astype(np.float32),
        generator.normal(0, 3, (3, 10, 8)).astype(np.float32),
    )


def test_the_generator_that_ships_is_small_and_holds_averages_alone() -> None:
    with np.load(SHIPPED / GENERATOR, allow_pickle=False) as archive:
        shapes = {name: (archive[name].dtype.name, archive[name].shape) for name in archive.files}
    assert shapes == {
        "mean": ("uint8", (80, 65)),
        "between": ("int8", (40, 80, 65)),
        "between_scale": ("float32", (40,)),
        "within": ("int8", (30, 80, 65)),
        "within_scale": ("float32", (30,)),
    }
    assert (SHIPPED / GENERATOR).stat().st_size < 400_000
    assert "Nobody it draws exists" in (SHIPPED / "README.md").read_text()


def test_pictures_follow_from_seed_and_person_alone(shipped: FaceGenerator) -> None:
    drawn = shipped.draw(3, 4)
    assert drawn.shape == (4, HEIGHT, WIDTH)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[:2], shipped.draw(3, 2))
    assert (drawn != shipped.draw(3, 4, seed=1)).mean() > 0.5
    assert (drawn != shipped.draw(4, 4)).mean() > 0.5
    assert (drawn[0] != drawn[1]).mean() > 0.5
    assert shipped.draw(3, 0).shape == (0, HEIGHT, WIDTH)


def test_drawn_faces_look_like_faces(shipped: FaceGenerator) -> None:
    """Neither black, nor white, nor noise: dark eyes under a light brow, and neighbours alike."""
    faces = np.stack([shipped.draw(person, 3) for person in range(20)]).reshape(-1, HEIGHT, WIDTH).astype(float)
    assert 60 < faces.mean() < 180
    assert (np.isin(faces, (0, 255)).mean(axis=(1, 2)) < 0.2).all()
    roughness = np.abs(np.diff(faces, axis=1)).mean(axis=(1, 2))
    assert (roughness < 0.25 * faces.std(axis=(1, 2))).all()
    eyes, brow = faces[:, 38:48, 15:77].mean(axis=(1, 2)), faces[:, 12:28, 25:67].mean(axis=(1, 2))
    assert (eyes < brow).mean() > 0.85


def test_pictures_of_one_person_are_more_alike_than_those_of_two(shipped: FaceGenerator) -> None:
    """By plain correlation of pixels, which knows nothing of faces; a trained encoder tells far better."""
    faces = np.stack([shipped.draw(person, 6) for person in range(20)]).reshape(120, -1).astype(float)
    alike = np.corrcoef(faces)
    same = np.kron(np.eye(20, dtype=bool), np.ones((6, 6), dtype=bool))
    genuine = alike[same & ~np.eye(120, dtype=bool)]
    assert genuine.mean() > alike[~same].mean() + 2 * alike[~same].std() / np.sqrt(20)
    # Not trivially apart: some impostor is closer than some pictures of the person.
    assert alike[~same].max() > np.quantile(genuine, 0.25)


def test_a_face_is_mean_plus_directions(small: FaceGenerator) -> None:
    """The naive twin: the sum written out, pixel by pixel, from the same random numbers."""
    spread = Spread(person=0.7, sample=0.4, shift=0.0, zoom=0.0, noise=0.0)
    random = np.random.default_rng([5, 2])
    weights = [min(2.5, max(-2.5, random.standard_normal())) for _ in range(4 + 3)]
    face = np.zeros((10, 8))
    for row in range(10):
        for column in range(8):
            face[row, column] = small.mean[row, column]
            for weight, direction in zip(weights, [*(0.7 * small.between), *(0.4 * small.within)], strict=True):
                face[row, column] += weight * direction[row, column]
    wide = np.pad(face, 8, mode="edge").astype(np.float32)
    expected = Image.fromarray(wide).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=(8, 8, 16, 18))
    drawn = small.draw(2, 1, seed=5, spread=spread)[0]
    np.testing.assert_allclose(drawn, np.clip(np.asarray(expected), 0, 255), atol=1.001)


def test_without_spread_everyone_is_the_mean(small: FaceGenerator) -> None:
    nobody = Spread(person=0.0, sample=0.0, shift=0.0, zoom=0.0, noise=0.0)
    np.testing.assert_array_equal(small.draw(0, 1, spread=nobody), small.draw(9, 1, seed=4, spread=nobody))
    apart = [np.abs(small.draw(0, 1, spread=STILL) * 1.0 - small.draw(1, 1, spread=STILL)).mean()]
    assert apart[0] > 1.0


def test_shift_and_zoom_stay_inside_the_margin(shipped: FaceGenerator) -> None:
    """At the largest spread allowed every draw still finds picture everywhere; beyond it, the spread is refused."""
    drawn = shipped.draw(0, 40, spread=Spread(shift=2.0, zoom=0.03, noise=0.0))
    assert drawn.shape == (40, HEIGHT, WIDTH)
    for name, value in {"shift": 2.01, "zoom": 0.031}.items():
        with pytest.raises(FieldInvalid, match="leave their margin") as caught:
            Spread(**{name: value})
        assert caught.value.field == name


def test_rounding_costs_less_than_a_grey_level(small: FaceGenerator, tmp_path: Path) -> None:
    (tmp_path / GENERATOR).write_bytes(small.to_npz())
    again = FaceGenerator.load(tmp_path)
    np.testing.assert_allclose(again.mean, small.mean, atol=0.5)
    for name in ("between", "within"):
        exact: NDArray[np.float32] = getattr(small, name)
        step = np.abs(exact).max(axis=(1, 2), keepdims=True) / 127
        assert (np.abs(getattr(again, name) - exact) <= 0.501 * step).all()
    assert again.to_npz() == small.to_npz()


@pytest.mark.parametrize(
    ("person", "samples", "seed"), [(-1, 1, 0), (0, -1, 0), (0, 1, -1)], ids=["person", "samples", "seed"]
)
def test_negative_numbers_are_refused(small: FaceGenerator, person: int, samples: int, seed: int) -> None:
    with pytest.raises(FieldInvalid, match="counted from 0"):
        small.draw(person, samples, seed=seed)


def test_a_missing_generator_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match="no generator of synthetic faces") as caught:
        FaceGenerator.load(tmp_path)
    assert "att:DIR" in str(caught.value.fix)


def archive(**arrays: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        archive(mean=np.zeros((4, 3), np.uint8)),
        archive(
            mean=np.zeros((4, 3), np.uint8),
            between=np.zeros((2, 4, 4), np.int8),
            between_scale=np.ones(2, np.float32),
            within=np.zeros((2, 4, 3), np.int8),
            within_scale=np.ones(2, np.float32),
        ),
        archive(
            mean=np.zeros((4, 3), np.uint8),
            between=np.zeros((2, 4, 3), np.int8),
            between_scale=np.ones(3, np.float32),
            within=np.zeros((2, 4, 3), np.int8),
            within_scale=np.ones(2, np.float32),
        ),
    ],
    ids=["empty", "text", "keys missing", "sizes of pictures", "sizes of scales"],
)
def test_a_damaged_generator_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / GENERATOR).write_bytes(data)
    with pytest.raises(CorpusInvalid) as caught:
        FaceGenerator.load(tmp_path)
    assert caught.value.field == GENERATOR


def test_written_people_are_a_corpus_and_say_what_they_are(small: FaceGenerator, tmp_path: Path) -> None:
    names = list(write_people(small, tmp_path / "new" / "people", 3, 4, seed=9))
    assert names == [person_name(number) for number in range(3)] == ["synthetic-01", "synthetic-02", "synthetic-03"]
    corpus = read_people(tmp_path / "new" / "people")
    assert corpus.people == tuple(names)
    assert [row.order for row in corpus.genuine("synthetic-02")] == [1, 2, 3, 4]
    for number, row in enumerate(corpus.genuine("synthetic-02")):
        with Image.open(row.path) as picture:
            assert picture.info["Comment"] == LABEL
            assert picture.size == (WIDTH, HEIGHT)
            np.testing.assert_array_equal(np.asarray(picture), small.draw(1, 4, seed=9)[number])


def test_an_earlier_run_is_replaced_and_the_rest_left_alone(small: FaceGenerator, tmp_path: Path) -> None:
    list(write_people(small, tmp_path, 3, 4))
    (tmp_path / "synthetic-notes.txt").write_text("mine")
    (tmp_path / "synthetic-ada").mkdir()
    list(write_people(small, tmp_path, 2, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "synthetic-01",
        "synthetic-02",
        "synthetic-ada",
        "synthetic-notes.txt",
    ]
    assert len(list((tmp_path / "synthetic-01").iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_named(small: FaceGenerator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        list(write_people(small, tmp_path / "file", 1, 1))
    assert caught.value.field == "out"
