"""Compact templates: moments against the references they replace, their stored form and its size, and enrolment."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from encode.errors import StoreCorrupt, TooFewReferences
from encode.manifest import IdentitySpec
from encode.sample import Modality
from enroll.answers import TemplateSummary
from enroll.identity import IdentityModel
from enroll.moments import Moments
from enroll.template import Template

Array = NDArray[np.float64]

NOW = datetime(2025, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
SIZE = 38
KINDS = ("spherical", "diagonal", "diagonal_map", "pooled")


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Embeddings of one person: unit norm, close together."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=SIZE) + 0.2 * generator.normal(size=(count, SIZE))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def background() -> dict[str, Array]:
    generator = np.random.default_rng(9)
    basis = generator.normal(size=(SIZE, SIZE)) / SIZE
    within = 1e-3 * np.diag(generator.uniform(0.5, 2.0, SIZE)) + 1e-3 * basis @ basis.T
    return {"mean": np.zeros(SIZE), "total": within + 0.02 * np.eye(SIZE), "within": within}


def model(kind: str, **spec: Any) -> IdentityModel:
    return IdentityModel(IdentitySpec.model_validate({"kind": kind, **spec}), background())


def compact(**changes: Any) -> Template:
    fields = {"size": SIZE, "now": NOW, "compact": True}
    return Template.empty("staff", "ada", Modality.SIGNATURE, "a" * 64, **(fields | changes))


@given(batches=st.lists(st.integers(0, 5), max_size=6), shift=st.floats(-10, 10))
def test_merged_batches_have_the_moments_of_all_references(batches: list[int], shift: float) -> None:
    rows = (np.random.default_rng(1).normal(size=(sum(batches), 4)) + shift).astype(np.float32)
    moments, taken = Moments.none(4), 0
    for count in batches:
        moments = moments.with_references(rows[taken : taken + count])
        taken += count
    assert moments.count == len(rows)
    assert moments.mean.dtype == moments.squares.dtype == np.float32
    if len(rows):
        exact = rows.astype(np.float64)
        np.testing.assert_allclose(moments.mean, exact.mean(0), atol=1e-5)
        np.testing.assert_allclose(moments.squares, ((exact - exact.mean(0)) ** 2).sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mean_correction", [False, True])
@pytest.mark.parametrize("count", [2, 5, 12])
def test_the_gaussian_is_that_of_the_references(kind: str, mean_correction: bool, count: int) -> None:
    references, probes = unit_rows(count), unit_rows(20, seed=3)
    kept = model(kind, strength=6.0, mean_correction=mean_correction)
    forgotten = model(kind, strength=6.0, mean_correction=mean_correction, storage="moments", limit=20)
    template = compact().with_moments_of(references[:1], now=NOW).with_moments_of(references[1:], now=NOW)
    expected, found = kept.fit(references), forgotten.fit_template(template)
    np.testing.assert_allclose(found.gaussian.covariance(), expected.gaussian.covariance(), rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(forgotten.llr(found, probes), kept.llr(expected, probes), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(
        forgotten.llr(forgotten.fit(references), probes), forgotten.llr(found, probes), rtol=1e-5, atol=1e-3
    )


def test_the_variances_lie_between_the_persons_own_and_the_bundles() -> None:
    references, within = unit_rows(6).astype(np.float64), np.diag(background()["within"])
    found = model("diagonal_map", strength=4.0, storage="moments", limit=20).fit(references).gaussian
    expected = (6 * references.var(0) + 4.0 * within) / (6 - 1 + 4.0)
    np.testing.assert_allclose(found.factor**2, expected, rtol=1e-5)
    one = model("diagonal_map", strength=4.0, storage="moments", limit=20).fit(references[:1]).gaussian
    np.testing.assert_allclose(one.factor**2, within)


def test_too_few_references_are_told_by_their_count() -> None:
    spherical = model("spherical", storage="moments", limit=20)
    with pytest.raises(TooFewReferences, match="needs 2 references, 1 given"):
        spherical.fit_template(compact().with_moments_of(unit_rows(1), now=NOW))


def test_a_template_is_76_numbers_and_its_header() -> None:
    stored = compact().with_moments_of(unit_rows(8), now=NOW).to_bytes()
    prefix, digest = 9, 32
    header = int.from_bytes(stored[5:9], "little")
    assert len(stored) == prefix + header + 4 * 76 + digest
    assert len(stored) < 800
    # However many references it stands for.
    assert len(compact().with_moments_of(unit_rows(9), now=NOW).to_bytes()) == len(stored)


@given(counts=st.lists(st.integers(1, 4), max_size=3))
def test_the_stored_form_round_trips(counts: list[int]) -> None:
    template = compact()
    for seed, count in enumerate(counts):
        template = template.with_moments_of(unit_rows(count, seed), now=NOW)
    again = Template.from_bytes(template.to_bytes())
    assert again.moments is not None
    assert template.moments is not None
    assert (again.count, again.version, again.size) == (sum(counts), len(counts), SIZE)
    np.testing.assert_array_equal(again.moments.to_array(), template.moments.to_array())
    assert again.to_bytes() == template.to_bytes()
    assert len(again.references) == 0


def reseal(stored: bytes, before: bytes, after: bytes) -> bytes:
    body = stored[:-32]
    assert before in body
    forged = body.replace(before, after)
    return forged + hashlib.sha256(forged).digest()


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"CSTM\x02", b"CSTM\x01"), (b'"count":2', b'"count":0'), (b'"size":38', b'"size":37'), (b'"count"', b'"cuont"')],
)
def test_content_that_contradicts_itself_is_refused(before: bytes, after: bytes) -> None:
    stored = compact().with_moments_of(unit_rows(2), now=NOW).to_bytes()
    with pytest.raises(StoreCorrupt, match="disagree"):
        Template.from_bytes(reseal(stored, before, after))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_moments_that_no_references_have_are_refused(value: float) -> None:
    stored = compact().with_moments_of(unit_rows(2), now=NOW).to_bytes()
    body = stored[:-36] + np.float32(value).tobytes()
    with pytest.raises(StoreCorrupt, match="disagree"):
        Template.from_bytes(body + hashlib.sha256(body).digest())


def test_moments_change_by_replacement_only() -> None:
    first = Moments.of(unit_rows(2))
    before = first.to_array()
    assert first.with_references(unit_rows(3)).count == 5
    np.testing.assert_array_equal(first.to_array(), before)
    with pytest.raises(ValueError, match="read-only"):
        first.mean[0] = 0
    with pytest.raises(ValueError, match="references of shape"):
        first.with_references(np.zeros((2, SIZE + 1)))


def test_a_template_holds_either_references_or_moments() -> None:
    with pytest.raises(ValueError, match="keeps no references"):
        compact().with_references(unit_rows(1), anchors_capacity=5, recent_capacity=5, now=NOW)
    with pytest.raises(ValueError, match="not moments"):
        compact(compact=False).with_moments_of(unit_rows(1), now=NOW)


def test_references_behind_moments_are_counted_as_anchors() -> None:
    summary = TemplateSummary.of(compact().with_moments_of(unit_rows(3), now=NOW), minimum=5)
    assert (summary.anchors, summary.recent, summary.missing) == (3, 0, 2)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"kind": "map", "storage": "moments", "limit": 9}, "no correlations"),
        ({"kind": "full_oas", "storage": "moments", "limit": 9}, "no correlations"),
        ({"kind": "pooled", "storage": "moments"}, "limit goes with"),
        ({"kind": "pooled", "limit": 9}, "limit goes with"),
        (
            {"kind": "pooled", "storage": "moments", "limit": 9, "matching": {"weights": {"gaussian": 1.0}}},
            "references",
        ),
    ],
)
def test_a_specification_that_contradicts_itself_is_refused(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        IdentitySpec.model_validate(spec)


def test_the_representation_shows_no_value() -> None:
    assert repr(Moments.none(SIZE).with_references(unit_rows(3))) == "Moments(count=3)"
