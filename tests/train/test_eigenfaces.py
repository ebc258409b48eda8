"""The fit of the synthetic-face generator: known covariances are found again, and the command writes what it read."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encode.errors import TrainingError
from eval.synthetic.faces import FaceGenerator
from train.eigenfaces import HEIGHT, WIDTH, fit_eigenfaces, main, principal_axes

SHAPE = (6, 5)


def planted(people: int, pictures: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Faces with two directions between people (deviations 40, 20) and one within (30), on orthogonal axes."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), pictures)
    values = np.zeros((people * pictures, 30))
    values[:, 0] = generator.normal(0, 40, people)[labels]
    values[:, 1] = generator.normal(0, 20, people)[labels]
    values[:, 2] = generator.normal(0, 30, len(labels))
    noise = generator.normal(0, 0.5, values.shape)
    return (128 + values @ rotation() + noise).astype(np.float32), labels


def rotation() -> NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(99).normal(size=(30, 30)))[0]


def test_planted_directions_and_deviations_are_found() -> None:
    faces, labels = planted(800, 3)
    fitted = fit_eigenfaces(faces, labels, shape=SHAPE, between=2, within=1)
    axes = rotation()
    for direction, axis, deviation in (
        (fitted.generator.between[0], axes[0], 40),
        (fitted.generator.between[1], axes[1], 20),
        (fitted.generator.within[0], axes[2], 30),
    ):
        length = float(np.linalg.norm(direction))
        assert length == pytest.approx(deviation, rel=0.06)
        assert abs(float(direction.ravel() @ axis)) / length > 0.99
    np.testing.assert_allclose(fitted.generator.mean, 128, atol=3)
    assert (fitted.people, fitted.pictures) == (800, 2400)
    assert fitted.between_share > 0.97
    assert fitted.within_share > 0.97
    assert 1 / 800 < fitted.largest_part < 0.05


def test_within_person_variance_does_not_leak_into_between() -> None:
    """Means of two pictures keep half of the within variance; the estimate takes it out again."""
    faces, labels = planted(800, 2)
    fitted = fit_eigenfaces(faces, labels, shape=SHAPE, between=3, within=1)
    leaked = fitted.generator.between.reshape(3, -1) @ rotation()[2]
    assert np.sqrt((leaked**2).sum()) < 0.35 * 30
    naive = np.stack([faces[labels == person].mean(0) for person in range(800)]) @ rotation()[2].astype(np.float32)
    assert naive.std() > 0.65 * 30


def test_labels_may_be_any_numbers_and_someone_photographed_often_counts_once() -> None:
    faces, labels = planted(60, 2)
    crowd = np.repeat(faces[:1], 50, axis=0) + 60
    fitted = fit_eigenfaces(
        np.concatenate([faces, crowd]), np.concatenate([labels * 7, np.full(50, 999)]), shape=SHAPE, between=2, within=1
    )
    assert fitted.people == 61
    expected = np.stack([*(faces[labels == person].mean(0) for person in range(60)), crowd.mean(0)]).mean(0)
    np.testing.assert_allclose(fitted.generator.mean.ravel(), expected, atol=1e-3)


def test_the_fit_is_repeatable_and_its_signs_are_fixed() -> None:
    faces, labels = planted(50, 3)
    first = fit_eigenfaces(faces, labels, shape=SHAPE, between=2, within=1).generator
    again = fit_eigenfaces(faces.copy(), labels, shape=SHAPE, between=2, within=1).generator
    assert first.to_npz() == again.to_npz()


def test_principal_axes_agree_with_the_exact_decomposition() -> None:
    faces, _ = planted(100, 3)
    centred = faces - faces.mean(0)
    axes = principal_axes(centred, 6, seed=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(6), atol=1e-5)
    exact = np.linalg.svd(centred, full_matrices=False)[2][:3]
    # The three planted axes lie wholly in the span found.
    np.testing.assert_allclose(np.linalg.norm(exact @ axes, axis=1), 1.0, atol=1e-3)


@pytest.mark.parametrize(("people", "pictures"), [(2, 5), (10, 1)], ids=["people", "repeated pictures"])
def test_too_little_to_fit_is_refused(people: int, pictures: int) -> None:
    faces, labels = planted(people, pictures)
    with pytest.raises(TrainingError, match=f"{people} people with {people * pictures} pictures are too few"):
        fit_eigenfaces(faces, labels, shape=SHAPE, between=2, within=1)


def test_the_command_reads_a_corpus_and_writes_generator_and_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = FaceGenerator.load(Path(__file__).resolve().parents[2] / "models" / "synthetic-faces")
    for person in range(45):
        (tmp_path / "people" / f"p{person:02}").mkdir(parents=True)
        for number, picture in enumerate(shipped.draw(person, 2)):
            Image.fromarray(picture).save(tmp_path / "people" / f"p{person:02}" / f"{number}.png")
    (tmp_path / "people" / "p00" / "broken.png").write_bytes(b"no image")
    main(["--corpus", f"folder:{tmp_path / 'people'}", "--out", str(tmp_path / "out")])
    assert "generator.npz" in capsys.readouterr().out
    fitted = FaceGenerator.load(tmp_path / "out")
    assert fitted.mean.shape == (HEIGHT, WIDTH)
    assert len(fitted.between) == 40
    assert np.corrcoef(fitted.mean.ravel(), shipped.mean.ravel())[0, 1] > 0.9
    card = (tmp_path / "out" / "README.md").read_text()
    assert "45 people, 90 pictures" in card
    assert str(tmp_path) not in card


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--corpus", f"folder:{tmp_path / 'nowhere'}", "--out", str(tmp_path / "out")])
    assert end.value.code == 3
    assert capsys.readouterr().err.startswith("error: there is no folder")
    assert not (tmp_path / "out").exists()
