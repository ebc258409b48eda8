"""What enrolment leaves in the store for each storage that a bundle can name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import ImageCorrupt, TemplateFull
from encode.manifest import IdentitySpec
from encode.sample import ImageSample, Modality, Sample
from enroll.enroller import Enroller
from enroll.identity import IdentityModel
from enroll.stores.memory import MemoryStore
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)


class DigitEncoder:
    """The digit that an image's bytes spell, as an embedding of one value with a trace of three behind it."""

    modality = Modality.FACE
    model_digest = "a" * 64
    embedding_size = 4

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        assert isinstance(sample, ImageSample)
        if not sample.data.isdigit():
            raise ImageCorrupt("the image does not decode", field="data", fix="send it again")
        return np.full((1, 1, 1), int(sample.data), np.float32)

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs.reshape(-1, 1) * np.array([1, 10, 100, 1000], np.float32)


@dataclass
class DigitModel:
    identity: IdentityModel
    encoder: DigitEncoder


def enroller(**spec: Any) -> tuple[Enroller, MemoryStore]:
    background = {"mean": np.zeros(1), "total": np.eye(1), "within": np.eye(1)}
    identity = IdentityModel(IdentitySpec.model_validate(spec), background)
    store = MemoryStore()
    models = {Modality.FACE: DigitModel(identity, DigitEncoder())}
    return Enroller(models, store, clock=lambda: NOW), store


def digits(*contents: bytes) -> list[Sample]:
    return [ImageSample(content) for content in contents]


def stored(store: MemoryStore) -> Template:
    [template] = store.get("staff", "ada")
    return template


def test_a_compact_template_keeps_moments_of_the_embedding_until_its_limit() -> None:
    subject, store = enroller(kind="diagonal_map", storage="moments", limit=4)

    def moments() -> tuple[int, list[float], list[float]]:
        kept = stored(store).moments
        assert kept is not None
        return kept.count, kept.mean.tolist(), kept.squares.tolist()

    subject.enroll("staff", "ada", digits(b"1", b"3"))
    assert moments() == (2, [2.0], [2.0])
    enrollment = subject.enroll("staff", "ada", digits(b"4", b"bad", b"4", b"9"))
    assert moments() == (4, [3.0], [6.0])
    assert len(stored(store).references) == 0
    reasons = [outcome.problem.reason if outcome.problem else "" for outcome in enrollment.outcomes]
    assert reasons == ["", ImageCorrupt.reason, "", TemplateFull.reason]
    [summary] = enrollment.templates
    assert (summary.anchors, summary.recent, summary.missing) == (4, 0, 0)
    with pytest.raises(TemplateFull):
        subject.enroll("staff", "ada", digits(b"5"))
    [erased] = subject.erase("staff", "ada").templates
    assert erased.references == 4


def test_a_template_without_anchors_keeps_the_rows_enrolled_last() -> None:
    subject, store = enroller(kind="spherical", anchors=0, recent=6)
    subject.enroll("staff", "ada", digits(b"1", b"2", b"3", b"4"))
    subject.enroll("staff", "ada", digits(b"5", b"6", b"7", b"8"))
    assert stored(store).references[:, 0].tolist() == [3, 4, 5, 6, 7, 8]
    assert stored(store).references.shape == (6, 4)
