"""Gaussians in whitened coordinates: the densities of `enroll.gaussian`, and where there is no such form."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encode.manifest import IdentitySpec
from enroll.gaussian import VARIANCE_FLOOR, Gaussian, fit_map, fit_pooled
from enroll.whitened import WhitenedGaussian, Within, fit_whitened

Array = NDArray[np.float64]


def spec(kind: str, *, strength: float = 15.0, corrected: bool = False) -> IdentitySpec:
    return IdentitySpec.model_validate({"kind": kind, "strength": strength, "mean_correction": corrected})


def prior(d: int) -> Array:
    root = np.random.default_rng(d).normal(size=(d, d + 2)) * 0.3
    covariance: Array = root @ root.T + 0.05 * np.eye(d)
    return covariance


def drawn(n: int, d: int, seed: int = 0) -> Array:
    rows: Array = np.random.default_rng((seed, n, d)).normal(size=(n, d)) + 1.0
    return rows


DENSE: dict[str, Callable[[Array, Array, bool], Gaussian]] = {
    "pooled": lambda x, within, corrected: fit_pooled(x, within, mean_correction=corrected),
    "map": lambda x, within, corrected: fit_map(x, within, strength=15.0, mean_correction=corrected),
}


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 4), (2, 3), (5, 4), (5, 40), (30, 6)])
def test_it_is_the_density_that_matrices_give(kind: str, corrected: bool, n: int, d: int) -> None:
    x, within, probes = drawn(n, d), prior(d), drawn(7, d, seed=1) * 3.0
    found = fit_whitened(spec(kind, corrected=corrected), Within(within), x)
    assert found is not None
    dense = DENSE[kind](x, within, corrected)
    np.testing.assert_allclose(found.mean, dense.mean)
    np.testing.assert_allclose(found.covariance(), dense.covariance(), rtol=1e-9, atol=1e-12)
    assert found.log_determinant == pytest.approx(dense.log_determinant)
    np.testing.assert_allclose(found.squared_distance(probes), dense.squared_distance(probes), rtol=1e-9)
    np.testing.assert_allclose(found.log_density(probes), dense.log_density(probes), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 12), d=st.integers(1, 12), strength=st.floats(1e-3, 1e4), scale=st.floats(1e-2, 1e2))
def test_whatever_the_references_it_agrees_or_is_not_there(n: int, d: int, strength: float, scale: float) -> None:
    x, within = drawn(n, d, seed=2) * scale, prior(d)
    found = fit_whitened(spec("map", strength=strength), Within(within), x)
    if found is None:
        return
    probes = drawn(5, d, seed=3) * scale
    dense = fit_map(x, within, strength=strength)
    np.testing.assert_allclose(found.log_density(probes), dense.log_density(probes), rtol=1e-6, atol=1e-6)


def test_where_the_person_outweighs_the_prior_by_far_there_is_no_such_form() -> None:
    assert fit_whitened(spec("map", strength=1e-9), Within(prior(4)), drawn(5, 4)) is None
    assert fit_whitened(spec("map", strength=1e-9), Within(prior(4)), drawn(1, 4)) is not None


def test_where_the_floor_of_variances_bites_there_is_no_such_form() -> None:
    within = Within(np.diag([1.0, 0.5 * VARIANCE_FLOOR]))
    assert fit_whitened(spec("pooled"), within, drawn(3, 2)) is None
    assert fit_whitened(spec("pooled"), Within(np.diag([1.0, 2.0 * VARIANCE_FLOOR])), drawn(3, 2)) is not None


def test_one_probe_is_taken_as_a_row() -> None:
    found = fit_whitened(spec("map"), Within(prior(3)), drawn(5, 3))
    assert isinstance(found, WhitenedGaussian)
    probe = drawn(1, 3, seed=4)
    assert found.log_density(probe[0]).shape == (1,)
    assert found.log_density(probe[0])[0] == found.log_density(probe)[0]
