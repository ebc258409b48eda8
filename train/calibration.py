"""Affine calibration of scores to natural-log likelihood ratios (Brümmer & du Preez 2006).

    llr = a·s + b,   (a, b) = argmin  ½ mean_genuine log₂(1 + e^−llr) + ½ mean_impostor log₂(1 + e^llr)

The minimum of the right side is Cllr after affine calibration; both kinds weigh the same, so the prior is ½ whatever
the numbers of trials. Newton's method: the problem is convex in two unknowns.
"""

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from encode.manifest import CalibrationSpec

Array = NDArray[np.float64]


def fit_calibration(genuine: Array, impostor: Array, *, ridge: float = 1e-4) -> CalibrationSpec:
    """Scores of genuine (n,) and impostor (m,) trials → scale a > 0 and offset b.

    `ridge` pulls the scale towards 1 over the scores' spread, which keeps separable scores finite. Raises TrialsError
    for scores that are empty, not finite, or that run the wrong way.
    """
    if not len(genuine) or not len(impostor):
        raise TrialsError("calibration needs genuine and impostor scores", field="scores")
    scores = np.concatenate([genuine, impostor])
    if not np.isfinite(scores).all():
        raise TrialsError("calibration needs finite scores", field="scores")
    truth = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weights = np.concatenate([np.full(len(genuine), 0.5 / len(genuine)), np.full(len(impostor), 0.5 / len(impostor))])
    centre, spread = float(scores.mean()), max(float(scores.std()), 1e-12)
    z = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)
    theta = np.array([1.0, 0.0])
    for _ in range(100):
        logits = z @ theta
        p = 0.5 * (1.0 + np.tanh(0.5 * logits))
        gradient = z.T @ (weights * (p - truth)) + ridge * (theta - [1.0, 0.0])
        curvature = (z * (weights * p * (1.0 - p))[:, None]).T @ z + ridge * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # Damped: far from the optimum a full Newton step on the logistic loss can overshoot.
        theta = theta - step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-10:
            break
    scale = float(theta[0]) / spread
    if scale <= 0.0:
        raise TrialsError("genuine scores are not higher than impostor scores", field="scores")
    return CalibrationSpec(scale=scale, offset=float(theta[1]) - scale * centre)
