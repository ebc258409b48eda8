"""Each kind of Gaussian against scipy's density and against its formula written out naively."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf

from encode.errors import FieldInvalid, TooFewReferences
from enroll.covariance import oas_shrinkage
from enroll.gaussian import (
    VARIANCE_FLOOR,
    Gaussian,
    fit_diagonal,
    fit_full_ledoit_wolf,
    fit_full_oas,
    fit_map,
    fit_pooled,
    fit_spherical,
)

Array = NDArray[np.float64]
Fit = Callable[[Array], Gaussian]


def within(d: int) -> Array:
    draw = np.random.default_rng(d)
    root = draw.normal(size=(d, d + 2)) * 0.3
    return root @ root.T + 0.05 * np.eye(d)


def references(n: int, d: int, seed: int = 0) -> Array:
    drawn: Array = np.random.default_rng((seed, n, d)).normal(size=(n, d)) * np.linspace(0.5, 1.5, d) + 1.0
    return drawn


PLAIN: dict[str, Fit] = {
    "spherical": fit_spherical,
    "diagonal": fit_diagonal,
    "full_oas": fit_full_oas,
    "full_ledoit_wolf": fit_full_ledoit_wolf,
}
WITH_PRIOR: dict[str, Fit] = {
    "pooled": lambda x: fit_pooled(x, within(x.shape[1])),
    "pooled, corrected": lambda x: fit_pooled(x, within(x.shape[1]), mean_correction=True),
    "map": lambda x: fit_map(x, within(x.shape[1]), strength=15.0),
    "map, corrected": lambda x: fit_map(x, within(x.shape[1]), strength=15.0, mean_correction=True),
}
KINDS = PLAIN | WITH_PRIOR


def naive_log_density(x: Array, mean: Array, covariance: Array) -> float:
    """The formula at the head of the module, with an inverse and a determinant."""
    away = x - mean
    inside = len(mean) * math.log(2 * math.pi) + math.log(np.linalg.det(covariance))
    return -0.5 * (inside + float(away @ np.linalg.inv(covariance) @ away))


def naive_covariance(kind: str, x: Array) -> Array:
    n, d = x.shape
    s = sum((np.outer(row - x.mean(0), row - x.mean(0)) for row in x), np.zeros((d, d))) / n
    mean_variance = np.trace(s) / d * np.eye(d)
    correction = 1 + 1 / n if kind.endswith("corrected") else 1.0
    prior = within(d)
    formulas: dict[str, Callable[[], Array]] = {
        "spherical": lambda: mean_variance,
        "diagonal": lambda: (1 - 1 / n) * np.diag(np.diag(s)) + mean_variance / n,
        "full_oas": lambda: (1 - oas_shrinkage(s, n)) * s + oas_shrinkage(s, n) * mean_variance,
        "full_ledoit_wolf": lambda: ledoit_wolf(x)[0] if d > 1 else s,
        "pooled": lambda: prior,
        "map": lambda: (n * s + 15.0 * prior) / (n - 1 + 15.0),
    }
    return formulas[kind.partition(",")[0]]() * correction


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(3, 1), (3, 2), (5, 4), (6, 20), (40, 3)])
def test_every_kind_is_the_density_of_its_formula(kind: str, n: int, d: int) -> None:
    x = references(n, d)
    probes = references(7, d, seed=1) * 2.0
    fitted, covariance = KINDS[kind](x), naive_covariance(kind, x)
    np.testing.assert_allclose(fitted.mean, x.mean(0), atol=1e-12)
    np.testing.assert_allclose(fitted.covariance(), covariance, rtol=1e-8, atol=1e-10)
    found = fitted.log_density(probes)
    assert found.shape == (7,)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, multivariate_normal(x.mean(0), covariance).logpdf(probes), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found, [naive_log_density(p, x.mean(0), covariance) for p in probes], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 3])
def test_parts_of_the_density_agree_with_each_other(kind: str, d: int) -> None:
    fitted = KINDS[kind](references(5, d))
    covariance = fitted.covariance()
    assert fitted.log_determinant == pytest.approx(np.linalg.slogdet(covariance)[1])
    np.testing.assert_allclose(fitted.precision() @ covariance, np.eye(d), atol=1e-8)
    probes = references(4, d, seed=2)
    away = probes - fitted.mean
    expected = np.einsum("ij,jk,ik->i", away, np.linalg.inv(covariance), away)
    np.testing.assert_allclose(fitted.squared_distance(probes), expected, rtol=1e-8)


@pytest.mark.parametrize("kind", WITH_PRIOR)
@pytest.mark.parametrize("d", [1, 4])
def test_one_reference_takes_its_spread_from_the_prior(kind: str, d: int) -> None:
    x = references(1, d)
    fitted = KINDS[kind](x)
    doubled = 2.0 if kind.endswith("corrected") else 1.0
    np.testing.assert_allclose(fitted.mean, x[0])
    np.testing.assert_allclose(fitted.covariance(), within(d) * doubled, rtol=1e-9)


@pytest.mark.parametrize("kind", PLAIN)
def test_kinds_without_a_prior_need_two_references(kind: str) -> None:
    with pytest.raises(TooFewReferences, match="needs 2 references, 1 given") as caught:
        PLAIN[kind](references(1, 3))
    assert caught.value.field == "references"
    assert KINDS[kind](references(2, 3)).log_density(references(1, 3)).shape == (1,)


@pytest.mark.parametrize("kind", KINDS)
def test_no_references_are_refused(kind: str) -> None:
    with pytest.raises(TooFewReferences, match="0 given"):
        KINDS[kind](np.empty((0, 3)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_references_that_are_not_finite_are_refused(kind: str, value: float) -> None:
    x = references(4, 3)
    x[2, 1] = value
    with pytest.raises(FieldInvalid, match="not finite") as caught:
        KINDS[kind](x)
    assert caught.value.field == "references"


@pytest.mark.parametrize("shape", [(3,), (0,), (2, 0), (2, 3, 4), ()])
def test_references_that_are_no_matrix_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FieldInvalid, match="must be a matrix"):
        fit_spherical(np.zeros(shape))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 5])
def test_equal_references_still_make_a_density(kind: str, d: int) -> None:
    """A variance of nothing would make every other probe infinitely unlike the person."""
    fitted = KINDS[kind](np.full((4, d), 0.25))
    assert np.linalg.eigvalsh(fitted.covariance()).min() >= VARIANCE_FLOOR * (1 - 1e-6)
    found = fitted.log_density(np.array([np.full(d, 0.25), np.full(d, 0.5)]))
    assert np.isfinite(found).all()
    assert found[0] > found[1]


def test_the_spherical_kind_is_that_of_1993() -> None:
    """Bromley et al.: one variance, the mean of the squared distances from the mean over samples and dimensions."""
    x = references(6, 80)
    variance = sum(float(np.sum((row - x.mean(0)) ** 2)) for row in x) / (6 * 80)
    fitted = fit_spherical(x)
    assert fitted.factor.shape == (80,)
    np.testing.assert_allclose(fitted.factor**2, variance)


def test_the_diagonal_kind_shrinks_as_asked() -> None:
    x = references(5, 3)
    np.testing.assert_allclose(fit_diagonal(x, shrinkage=0.0).factor ** 2, x.var(0))
    np.testing.assert_allclose(fit_diagonal(x, shrinkage=1.0).factor, fit_spherical(x).factor)


def test_map_goes_from_the_prior_to_the_persons_own_spread() -> None:
    x, prior = references(30, 3), within(3)
    np.testing.assert_allclose(fit_map(x, prior, strength=1e9).covariance(), prior, rtol=1e-6)
    np.testing.assert_allclose(fit_map(x, prior, strength=1e-9).covariance(), np.cov(x.T), rtol=1e-6)


def test_single_precision_references_are_computed_in_double() -> None:
    x = references(5, 4).astype(np.float32)
    fitted = fit_full_oas(x)
    assert fitted.mean.dtype == fitted.factor.dtype == fitted.log_density(x).dtype == np.float64


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_singular_covariance_is_lifted_to_the_floor(rank: int, scale: float) -> None:
    root = np.random.default_rng(rank).normal(size=(5, rank)) * scale
    covariance = root @ root.T
    fitted = Gaussian.from_covariance(np.zeros(5), covariance)
    assert np.array_equal(fitted.factor, np.tril(fitted.factor))
    assert (np.diag(fitted.factor) > 0).all()
    values, vectors = np.linalg.eigh(covariance)
    lifted = (vectors * np.maximum(values, VARIANCE_FLOOR)) @ vectors.T
    tolerance = 1e-12 * max(1.0, float(values.max()))
    np.testing.assert_allclose(fitted.covariance(), lifted, atol=tolerance)
    assert np.isfinite(fitted.log_density(np.ones((2, 5)))).all()


def test_a_covariance_that_is_not_positive_is_lifted_too() -> None:
    fitted = Gaussian.from_covariance(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
    np.testing.assert_allclose(np.linalg.eigvalsh(fitted.covariance()), [VARIANCE_FLOOR, 3.0], rtol=1e-6)


def test_a_density_far_away_stays_in_the_log_domain() -> None:
    fitted = fit_spherical(references(5, 100) * 1e-3)
    far = fitted.log_density(np.full((1, 100), 1e6))
    assert np.isfinite(far).all()
    assert far[0] < -1e15


def test_one_probe_may_come_as_a_vector() -> None:
    fitted = fit_spherical(references(5, 3))
    np.testing.assert_array_equal(fitted.log_density(np.ones(3)), fitted.log_density(np.ones((1, 3))))


@given(st.sampled_from(sorted(KINDS)), st.integers(2, 8), st.integers(1, 10), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_the_density_peaks_at_the_mean_and_follows_a_shift(kind: str, n: int, d: int, seed: int) -> None:
    x = references(n, d, seed)
    fitted = KINDS[kind](x)
    probes = references(5, d, seed + 1)
    assert (fitted.log_density(probes) <= fitted.log_density(fitted.mean) + 1e-9).all()
    moved = KINDS[kind](x + 4.0)
    np.testing.assert_allclose(moved.log_density(probes + 4.0), fitted.log_density(probes), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_references_does_not_matter(kind: str) -> None:
    x, probes = references(6, 4), references(3, 4, seed=5)
    np.testing.assert_allclose(
        KINDS[kind](x[::-1].copy()).log_density(probes), KINDS[kind](x).log_density(probes), rtol=1e-9
    )
