"""Shrinkage against its definition, written out naively, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf, ledoit_wolf, oas

from enroll.covariance import ledoit_wolf_shrinkage, oas_shrinkage, pooled_within, scatter, shrink

Array = NDArray[np.float64]

SHAPES = [(2, 1), (2, 3), (5, 1), (5, 2), (5, 50), (40, 7), (300, 4)]


def samples(n: int, d: int, seed: int = 0) -> Array:
    draw = np.random.default_rng(seed)
    mixing = draw.normal(size=(d, d)) / np.sqrt(d) + np.diag(np.linspace(0.5, 2.0, d))
    drawn: Array = draw.normal(size=(n, d)) @ mixing + 3.0
    return drawn


def naive_scatter(x: Array) -> Array:
    n, d = x.shape
    found = np.zeros((d, d))
    for a in range(d):
        for b in range(d):
            for i in range(n):
                found[a, b] += (x[i, a] - x[:, a].mean()) * (x[i, b] - x[:, b].mean())
    return found


@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 4), *SHAPES[:5]])
def test_scatter_is_the_sum_of_outer_products(n: int, d: int) -> None:
    x = samples(n, d)
    np.testing.assert_allclose(scatter(x), naive_scatter(x), atol=1e-10)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_oas_is_equation_23(n: int, d: int) -> None:
    """Chen, Wiesel, Eldar & Hero 2010, eq. 23, term by term."""
    x = samples(n, d)
    s = np.cov(x.T, bias=True).reshape(d, d)
    trace_s2, trace2_s = np.trace(s @ s), np.trace(s) ** 2
    top = (1 - 2 / d) * trace_s2 + trace2_s
    bottom = (n + 1 - 2 / d) * (trace_s2 - trace2_s / d)
    expected = min(1.0, top / bottom) if d > 1 else 1.0
    assert oas_shrinkage(s, n) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(5, 200), (20, 200), (300, 120)])
def test_oas_agrees_with_scikit_learn_in_many_dimensions(n: int, d: int) -> None:
    """scikit-learn leaves out the terms in 2/d, which vanish as d grows."""
    x = samples(n, d)
    _, theirs = oas(x)
    assert oas_shrinkage(scatter(x) / n, n) == pytest.approx(theirs, rel=3 / d)


@pytest.mark.parametrize(("n", "d"), [shape for shape in SHAPES if shape[1] > 1])
def test_ledoit_wolf_agrees_with_scikit_learn(n: int, d: int) -> None:
    x = samples(n, d)
    covariance, theirs = ledoit_wolf(x)
    ours = ledoit_wolf_shrinkage(x)
    assert ours == pytest.approx(theirs, abs=1e-9)
    np.testing.assert_allclose(shrink(scatter(x) / n, ours), covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(LedoitWolf().fit(x).shrinkage_, ours, atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(3, 2), (6, 4)])
def test_ledoit_wolf_is_its_definition(n: int, d: int) -> None:
    """β² / δ² of Ledoit & Wolf 2004, section 3, with the n matrices built one by one."""
    x = samples(n, d)
    centred = x - x.mean(0)
    s = centred.T @ centred / n
    target = np.trace(s) / d * np.eye(d)
    delta = np.sum((s - target) ** 2) / d
    beta = sum(np.sum((np.outer(row, row) - s) ** 2) for row in centred) / d / n**2
    assert ledoit_wolf_shrinkage(x) == pytest.approx(min(beta, delta) / delta, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("d", [1, 3])
def test_samples_without_spread_are_shrunk_whole(n: int, d: int) -> None:
    x = np.full((n, d), 2.5)
    assert oas_shrinkage(scatter(x) / n, n) == 1.0
    assert ledoit_wolf_shrinkage(x) == 1.0


def test_shrink_goes_from_the_covariance_to_a_multiple_of_the_identity() -> None:
    s = scatter(samples(9, 4)) / 9
    np.testing.assert_array_equal(shrink(s, 0.0), s)
    np.testing.assert_allclose(shrink(s, 1.0), np.trace(s) / 4 * np.eye(4), atol=1e-12)
    np.testing.assert_allclose(shrink(s, 0.3), 0.7 * s + 0.3 * np.trace(s) / 4 * np.eye(4), atol=1e-12)


@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 10_000), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_shrinkage_is_a_share_that_keeps_the_trace_and_ignores_the_unit(n: int, d: int, seed: int, unit: float) -> None:
    x = samples(n, d, seed)
    s = scatter(x) / n
    for rho, scaled in (
        (oas_shrinkage(s, n), oas_shrinkage(s * unit**2, n)),
        (ledoit_wolf_shrinkage(x), ledoit_wolf_shrinkage(x * unit)),
    ):
        assert 0.0 <= rho <= 1.0
        assert scaled == pytest.approx(rho, abs=1e-6)
        assert np.trace(shrink(s, rho)) == pytest.approx(np.trace(s))


def test_pooled_within_is_the_mean_over_degrees_of_freedom() -> None:
    x = samples(10, 3)
    labels = np.array([0, 0, 0, 2, 2, 5, 7, 7, 7, 7])
    expected = (naive_scatter(x[:3]) + naive_scatter(x[3:5]) + naive_scatter(x[6:])) / (2 + 1 + 3)
    found, freedom = pooled_within(x, labels)
    assert freedom == 6
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_pooled_within_does_not_depend_on_the_order_or_on_the_means() -> None:
    x, labels = samples(12, 4), np.repeat(np.arange(4), 3)
    order = np.random.default_rng(1).permutation(12)
    expected, _ = pooled_within(x, labels)
    np.testing.assert_allclose(pooled_within(x[order], labels[order])[0], expected, atol=1e-10)
    np.testing.assert_allclose(pooled_within(x + 10.0 * labels[:, None], labels)[0], expected, atol=1e-8)


def test_people_with_one_sample_tell_nothing_about_the_spread_within() -> None:
    found, freedom = pooled_within(samples(3, 2), np.array([0, 1, 2]))
    assert freedom == 0
    np.testing.assert_array_equal(found, np.zeros((2, 2)))
