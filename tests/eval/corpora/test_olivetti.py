"""The Olivetti faces as scikit-learn gives them, without a download: what it returns or raises is put in its place."""

from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from encode.errors import CorpusMissing
from encode.image import decode_image
from encode.sample import ImageSample
from eval.corpora.spec import open_corpus

FACES = np.random.default_rng(0).random((6, 64, 64)).astype(np.float32)
PEOPLE = np.array([0, 0, 2, 1, 1, 2])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The `data_home` of every call; the faces come from memory."""
    homes: list[str | None] = []

    def fetch(*, data_home: str | None = None, download_if_missing: bool = True) -> SimpleNamespace:
        assert download_if_missing is (data_home is None)
        homes.append(data_home)
        return SimpleNamespace(images=FACES, target=PEOPLE)

    monkeypatch.setattr(sklearn.datasets, "fetch_olivetti_faces", fetch)
    return homes


@pytest.mark.usefixtures("asked")
def test_people_and_images_are_numbered_from_one() -> None:
    corpus = open_corpus("olivetti:")
    assert corpus.name == "olivetti"
    assert [(row.id, row.person, row.order) for row in corpus.rows] == [
        ("s1/1", "s1", 1),
        ("s1/2", "s1", 2),
        ("s2/1", "s2", 1),
        ("s2/2", "s2", 2),
        ("s3/1", "s3", 1),
        ("s3/2", "s3", 2),
    ]


@pytest.mark.usefixtures("asked")
def test_every_row_loads_its_own_face() -> None:
    for row, index in zip(open_corpus("olivetti:").rows, [0, 1, 3, 4, 2, 5], strict=True):
        sample = row.load()
        assert isinstance(sample, ImageSample)
        np.testing.assert_array_equal(np.asarray(decode_image(sample.data)), np.round(FACES[index] * 255))


def test_a_stored_copy_is_read_from_its_folder(asked: list[str | None], tmp_path: Any) -> None:
    open_corpus(f"olivetti:{tmp_path}")
    open_corpus("olivetti:")
    assert asked == [str(tmp_path), None]


@pytest.mark.parametrize("error", [URLError("no route to host"), OSError("Data not found"), TimeoutError("timed out")])
def test_without_a_copy_and_offline_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def fetch(**_: Any) -> None:
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_olivetti_faces", fetch)
    with pytest.raises(CorpusMissing, match="use att:DIR"):
        open_corpus("olivetti:")
