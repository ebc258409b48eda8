"""The bundle's identity model: its kind chooses the fit, its calibration the scale of the ratio."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from encode.bundle import Bundle
from encode.errors import FieldInvalid, TooFewReferences
from encode.manifest import CalibrationSpec, IdentitySpec
from encode.sample import Modality
from enroll.gaussian import (
    Gaussian,
    fit_diagonal,
    fit_diagonal_map,
    fit_full_ledoit_wolf,
    fit_full_oas,
    fit_map,
    fit_pooled,
    fit_spherical,
)
from enroll.identity import IdentityModel
from enroll.template import Template

Array = NDArray[np.float64]

SIZE = 4
BACKGROUND = {
    "mean": np.linspace(-0.2, 0.2, SIZE),
    "total": np.eye(SIZE) + 0.2,
    "within": 0.1 * np.eye(SIZE) + 0.01,
}
KINDS = get_args(IdentitySpec.model_fields["kind"].annotation)

EXPECTED: dict[str, Callable[[Array], Gaussian]] = {
    "spherical": fit_spherical,
    "diagonal": fit_diagonal,
    "diagonal_map": lambda x: fit_diagonal_map(x, BACKGROUND["within"], strength=7.0),
    "full_oas": fit_full_oas,
    "full_ledoit_wolf": fit_full_ledoit_wolf,
    "pooled": lambda x: fit_pooled(x, BACKGROUND["within"]),
    "map": lambda x: fit_map(x, BACKGROUND["within"], strength=7.0),
}


def model(**spec: Any) -> IdentityModel:
    return IdentityModel(IdentitySpec.model_validate(spec), BACKGROUND)


@pytest.fixture
def references() -> Array:
    return np.random.default_rng(0).normal(size=(5, SIZE))


@pytest.fixture
def probes() -> Array:
    return np.random.default_rng(1).normal(size=(9, SIZE))


def test_every_kind_a_manifest_can_name_is_tested_here() -> None:
    assert set(KINDS) == set(EXPECTED)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_chooses_the_fit(kind: str, references: Array, probes: Array) -> None:
    fitted = model(kind=kind, strength=7.0).fit(references).gaussian
    np.testing.assert_allclose(fitted.log_density(probes), EXPECTED[kind](references).log_density(probes), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_uncertainty_of_the_mean_counts_if_asked(kind: str, references: Array) -> None:
    plain = model(kind=kind).fit(references).gaussian.covariance()
    corrected = model(kind=kind, mean_correction=True).fit(references).gaussian.covariance()
    factor = 1 + 1 / 5 if kind in ("pooled", "map", "diagonal_map") else 6 / 4
    np.testing.assert_allclose(corrected, plain * factor)


@pytest.mark.parametrize("kind", KINDS)
def test_the_ratio_is_affine_in_the_difference_of_log_densities(kind: str, references: Array, probes: Array) -> None:
    calibration = CalibrationSpec(scale=0.25, offset=-1.5)
    calibrated = model(kind=kind, calibration=calibration)
    person = calibrated.fit(references)
    everyone = multivariate_normal(BACKGROUND["mean"], BACKGROUND["total"]).logpdf(probes)
    found = calibrated.llr(person, probes)
    assert found.shape == (9,)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, 0.25 * (person.gaussian.log_density(probes) - everyone) - 1.5, rtol=1e-9)
    raw = model(kind=kind)
    np.testing.assert_allclose(found, 0.25 * raw.llr(raw.fit(references), probes) - 1.5, rtol=1e-9)


def test_the_ratio_is_higher_near_the_person() -> None:
    near = model(kind="map")
    person = near.fit(np.full((3, SIZE), 1.0))
    scores = near.llr(person, np.array([np.full(SIZE, value) for value in (1.0, 0.5, 0.0, -2.0)]))
    assert (np.diff(scores) < 0).all()
    assert scores[0] > 0 > scores[-1]


def test_single_precision_probes_are_scored_in_double(references: Array, probes: Array) -> None:
    fitted = model(kind="map")
    found = fitted.llr(fitted.fit(references.astype(np.float32)), probes.astype(np.float32))
    assert found.dtype == np.float64


@pytest.mark.parametrize("kind", KINDS)
def test_the_fewest_references_are_what_the_kind_can_fit(kind: str) -> None:
    needed = model(kind=kind).minimum
    assert model(kind=kind).fit(np.random.default_rng(0).normal(size=(needed, SIZE))).gaussian.mean.shape == (SIZE,)
    with pytest.raises(TooFewReferences, match=f"needs {needed} references"):
        model(kind=kind).fit(np.zeros((needed - 1, SIZE)))


def test_a_bundle_may_ask_for_more_references_never_for_fewer() -> None:
    assert model(kind="map", minimum=3).minimum == 3
    assert model(kind="spherical", minimum=1).minimum == 2
    assert (model(kind="map", recent=6, anchors=2).recent, model(kind="map", recent=6, anchors=2).anchors) == (6, 2)


def test_bad_references_are_named() -> None:
    with pytest.raises(FieldInvalid, match="not finite"):
        model(kind="map").fit(np.full((2, SIZE), np.nan))


@pytest.mark.parametrize("shape", [(3, SIZE - 1), (SIZE,), (1, 3, SIZE)])
def test_references_of_another_shape_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(FieldInvalid, match="rows of 4 values") as caught:
        model(kind="map").fit(np.zeros(shape))
    assert caught.value.field == "references"


def test_the_spherical_gaussian_on_the_last_six(probes: Array) -> None:
    """The 1993 rule: whatever was enrolled before the last six counts for nothing."""
    spherical = model(kind="spherical", anchors=0, recent=6, mean_correction=True)
    generator = np.random.default_rng(2)
    rows = generator.normal(size=(11, SIZE)).astype(np.float32)
    now = datetime(2025, 3, 1, tzinfo=UTC)
    template = Template.empty("staff", "ada", Modality.SIGNATURE, "a" * 64, size=SIZE, now=now)
    enrolled = 0
    for count in (4, 1, 3, 3):
        template = template.with_references(
            rows[enrolled : enrolled + count],
            anchors_capacity=spherical.anchors,
            recent_capacity=spherical.recent,
            now=now,
        )
        enrolled += count
        last = rows[max(0, enrolled - 6) : enrolled].astype(np.float64)
        assert (len(template.anchors), template.count) == (0, len(last))
        variance = last.var(0).mean() * (len(last) + 1) / (len(last) - 1)
        expected = multivariate_normal(last.mean(0), variance * np.eye(SIZE)).logpdf(probes)
        person = spherical.fit_template(template)
        np.testing.assert_allclose(person.gaussian.log_density(probes), expected, rtol=1e-9)


def test_a_bundle_brings_its_own(
    seal_tiny: Callable[..., Bundle], tmp_path: Path, references: Array, probes: Array
) -> None:
    identity = IdentitySpec(kind="pooled", calibration=CalibrationSpec(scale=2.0, offset=1.0), recent=3)
    background = {name: np.resize(array, (6,) * array.ndim) * 1.0 for name, array in BACKGROUND.items()}
    background["total"], background["within"] = np.eye(6), 0.3 * np.eye(6)
    opened = IdentityModel.from_bundle(seal_tiny(tmp_path, identity=identity, background=background))
    assert opened.spec == identity
    x, y = np.pad(references, ((0, 0), (0, 2))), np.pad(probes, ((0, 0), (0, 2)))
    by_hand = IdentityModel(identity, background)
    np.testing.assert_array_equal(opened.llr(opened.fit(x), y), by_hand.llr(by_hand.fit(x), y))
