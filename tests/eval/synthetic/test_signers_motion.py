"""The sigma-lognormal model against its formulas, written out stroke by stroke."""

import math

import numpy as np
import pytest

from eval.synthetic.signers_motion import Strokes, position, velocity


def strokes(count: int = 6, seed: int = 1) -> Strokes:
    generator = np.random.default_rng(seed)
    return Strokes(
        start=np.array([3.0, -2.0]),
        chord=generator.normal(0, 5, (count, 2)),
        turn=generator.uniform(-2.5, 2.5, count),
        onset=0.1 * np.arange(count),
        mu=generator.uniform(-2.0, -1.6, count),
        sigma=generator.uniform(0.15, 0.3, count),
        lifted=np.zeros(count, dtype=bool),
    )


def one(turn: float) -> Strokes:
    return Strokes(
        start=np.zeros(2),
        chord=np.array([[4.0, 0.0]]),
        turn=np.array([turn]),
        onset=np.array([0.2]),
        mu=np.array([-1.7]),
        sigma=np.array([0.25]),
        lifted=np.zeros(1, dtype=bool),
    )


def naive_velocity(plan: Strokes, t: float) -> tuple[float, float]:
    """Plamondon's formula, one stroke after the other."""
    total_x = total_y = 0.0
    for j in range(len(plan)):
        if t <= plan.onset[j]:
            continue
        chord_x, chord_y = plan.chord[j]
        half = plan.turn[j] / 2
        length = math.hypot(chord_x, chord_y) * half / math.sin(half)
        first = math.atan2(chord_y, chord_x) - half
        z = (math.log(t - plan.onset[j]) - plan.mu[j]) / plan.sigma[j]
        bell = math.exp(-z * z / 2) / (plan.sigma[j] * math.sqrt(2 * math.pi) * (t - plan.onset[j]))
        angle = first + plan.turn[j] * 0.5 * (1 + math.erf(z / math.sqrt(2)))
        total_x += length * bell * math.cos(angle)
        total_y += length * bell * math.sin(angle)
    return total_x, total_y


def test_velocities_add_as_vectors() -> None:
    plan, t = strokes(), np.linspace(-0.1, 1.2, 131)
    np.testing.assert_allclose(velocity(plan, t), [naive_velocity(plan, moment) for moment in t], atol=1e-9)


def test_position_is_the_integral_of_velocity() -> None:
    plan, t = strokes(), np.linspace(0.0, 1.5, 30_001)
    moved = velocity(plan, t)
    summed = plan.start + np.concatenate([[[0, 0]], np.cumsum((moved[1:] + moved[:-1]) / 2, axis=0) * t[1]])
    np.testing.assert_allclose(position(plan, t)[::500], summed[::500], atol=1e-5)


def test_it_begins_at_the_start_and_ends_where_all_chords_lead() -> None:
    plan = strokes()
    np.testing.assert_allclose(
        position(plan, np.array([-1.0, 0.0, 60.0])),
        [plan.start, plan.start, plan.start + plan.chord.sum(axis=0)],
        atol=1e-9,
    )


@pytest.mark.parametrize("turn", [0.0, 1e-9, 0.7, -2.4])
def test_one_stroke_runs_along_an_arc_of_its_length(turn: float) -> None:
    plan, t = one(turn), np.linspace(0.2, 1.2, 20_001)
    path = position(plan, t)
    assert np.hypot(*np.diff(path, axis=0).T).sum() == pytest.approx(plan.length[0], rel=1e-4)
    radius = 4.0 / (2 * math.sin(turn / 2)) if abs(turn) > 1e-6 else math.inf
    if radius < math.inf:
        centre = np.array([2.0, radius * math.cos(turn / 2)])
        np.testing.assert_allclose(np.hypot(*(path - centre).T), abs(radius), rtol=1e-9)
    else:
        np.testing.assert_allclose(path[:, 1], 0.0, atol=1e-8)


def test_speed_peaks_where_a_lognormal_has_its_mode() -> None:
    t = np.linspace(0.2, 1.2, 100_001)
    speed = np.hypot(*velocity(one(0.9), t).T)
    assert t[speed.argmax()] == pytest.approx(0.2 + math.exp(-1.7 - 0.25**2), abs=1e-4)


def test_time_at_a_share_of_the_way() -> None:
    plan = one(0.0)
    for share in (0.1, 0.5, 0.9):
        assert position(plan, plan.time_at(share))[0, 0] == pytest.approx(4.0 * share)
