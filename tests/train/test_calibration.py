"""The affine map against scikit-learn's logistic regression, and against what it is for: a lower Cllr."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from encode.errors import TrialsError
from encode.manifest import CalibrationSpec
from train.calibration import fit_calibration

Array = NDArray[np.float64]


def scores(genuine: int = 60, impostor: int = 900, seed: int = 0, scale: float = 1.0) -> tuple[Array, Array]:
    draw = np.random.default_rng(seed)
    return draw.normal(2.0, 1.5, genuine) * scale + 7.0, draw.normal(-1.0, 1.0, impostor) * scale + 7.0


def applied(spec: CalibrationSpec, raw: Array) -> Array:
    return spec.scale * raw + spec.offset


def cllr(genuine: Array, impostor: Array) -> float:
    """Brümmer & du Preez 2006, eq. 5: bits lost, half the weight on each kind."""
    lost = [sum(math.log2(1 + math.exp(-score)) for score in genuine) / len(genuine)]
    lost.append(sum(math.log2(1 + math.exp(score)) for score in impostor) / len(impostor))
    return sum(lost) / 2


@pytest.mark.parametrize(("genuine", "impostor"), [(60, 900), (500, 500), (2000, 30)])
def test_it_is_balanced_logistic_regression(genuine: int, impostor: int) -> None:
    yes, no = scores(genuine, impostor)
    theirs = LogisticRegression(class_weight="balanced", C=1e8, tol=1e-10, max_iter=1000)
    theirs.fit(np.concatenate([yes, no])[:, None], [1] * genuine + [0] * impostor)
    ours = fit_calibration(yes, no, ridge=1e-9)
    assert ours.scale == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert ours.offset == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_a_little_ridge_changes_little() -> None:
    yes, no = scores()
    plain, ridged = fit_calibration(yes, no, ridge=1e-9), fit_calibration(yes, no)
    assert ridged.scale == pytest.approx(plain.scale, rel=0.02)


@given(st.integers(0, 1000), st.floats(0.01, 100.0), st.floats(-50.0, 50.0))
@settings(max_examples=40, deadline=None)
def test_calibrated_scores_do_not_depend_on_the_raw_scale(seed: int, factor: float, shift: float) -> None:
    yes, no = scores(seed=seed)
    expected = applied(fit_calibration(yes, no), yes)
    moved = fit_calibration(yes * factor + shift, no * factor + shift)
    np.testing.assert_allclose(applied(moved, yes * factor + shift), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_cllr_gets_lower_and_no_affine_map_does_better(scale: float) -> None:
    yes, no = scores(scale=scale)
    spec = fit_calibration(yes, no, ridge=1e-9)
    best = cllr(applied(spec, yes), applied(spec, no))
    assert best < 0.9 * cllr(yes, no)
    for changed in (
        CalibrationSpec(scale=spec.scale * 1.05, offset=spec.offset),
        CalibrationSpec(scale=spec.scale * 0.95, offset=spec.offset),
        CalibrationSpec(scale=spec.scale, offset=spec.offset + 0.05),
        CalibrationSpec(scale=spec.scale, offset=spec.offset - 0.05),
    ):
        assert cllr(applied(changed, yes), applied(changed, no)) > best


def test_honest_scores_are_left_as_they_are() -> None:
    """Of two normal densities one unit of spread apart the log-likelihood ratio is known."""
    draw = np.random.default_rng(0)
    yes, no = draw.normal(1.0, 1.0, 200_000), draw.normal(-1.0, 1.0, 200_000)
    spec = fit_calibration(2.0 * yes, 2.0 * no)
    assert spec.scale == pytest.approx(1.0, abs=0.02)
    assert spec.offset == pytest.approx(0.0, abs=0.02)


def test_the_numbers_of_trials_do_not_shift_the_prior() -> None:
    yes, no = scores()
    repeated = fit_calibration(yes, np.tile(no, 7))
    assert fit_calibration(yes, no).offset == pytest.approx(repeated.offset, rel=0.02)


@pytest.mark.parametrize("gap", [1.0, 1e3, 1e6])
def test_scores_that_never_overlap_stay_finite(gap: float) -> None:
    spec = fit_calibration(np.array([gap, gap + 1.0]), np.array([0.0, 1.0, -1.0]))
    assert math.isfinite(spec.scale)
    assert spec.scale > 0
    assert applied(spec, np.array([gap]))[0] > 0 > applied(spec, np.array([0.0]))[0]


@pytest.mark.parametrize(
    ("genuine", "impostor", "message"),
    [
        ([], [1.0], "needs genuine and impostor"),
        ([1.0], [], "needs genuine and impostor"),
        ([1.0, math.nan], [0.0], "finite"),
        ([1.0], [-math.inf], "finite"),
        ([0.0, 1.0, 2.0], [5.0, 6.0, 7.0], "not higher than impostor"),
    ],
)
def test_scores_that_cannot_be_calibrated_are_refused(
    genuine: list[float], impostor: list[float], message: str
) -> None:
    with pytest.raises(TrialsError, match=message) as caught:
        fit_calibration(np.array(genuine), np.array(impostor))
    assert caught.value.field == "scores"
