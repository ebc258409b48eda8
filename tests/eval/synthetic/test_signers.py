"""Synthetic signers: the same from the same seed, moving like hands, and as hard to tell apart as they should be."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import FieldInvalid
from encode.sample import StrokesSample
from enroll.dtw import dtw_distances
from eval.measures.metrics import equal_error
from eval.synthetic.signers import Signer
from eval.synthetic.signers_forger import Forger
from eval.synthetic.signers_hand import Hand, draw_rhythm, perform
from eval.synthetic.signers_motion import FloatArray, position
from eval.synthetic.signers_shape import Shape, draw_shape
from eval.synthetic.signers_tablet import Tablet

PEOPLE, REFERENCES, PROBES = 10, 4, 5


def duration(sample: StrokesSample) -> float:
    return sample.t[-1] - sample.t[0]


def test_samples_follow_from_seed_and_person_alone() -> None:
    signer = Signer.draw(3, seed=7)
    again = Signer.draw(3, seed=7)
    assert again.genuine(4)[:2] == signer.genuine(2)
    assert again.forgeries(6)[:2] == signer.forgeries(2)
    assert signer.genuine(1) != Signer.draw(3, seed=8).genuine(1)
    assert signer.genuine(1) != Signer.draw(4, seed=7).genuine(1)
    assert len({sample.x for sample in signer.genuine(5) + signer.forgeries(5)}) == 10
    assert signer.genuine(0) == signer.forgeries(0) == []


def test_signatures_have_the_length_of_signatures() -> None:
    """Of SVC2004's genuine signatures, 90 % have 111 to 392 points at 100 Hz; those drawn lie where those lie."""
    samples = [sample for person in range(60) for sample in Signer.draw(person).genuine(2)]
    points = np.array([len(sample.x) for sample in samples])
    assert points.min() > 50
    assert points.max() < 600
    assert 100 < np.quantile(points, 0.1) < np.median(points) < np.quantile(points, 0.9) < 400
    width = np.array([np.ptp(sample.x) for sample in samples]) / 100
    assert 20 < np.median(width) < 80, "millimetres"
    assert all(np.ptp(sample.x) > 0 and np.ptp(sample.y) > 0 for sample in samples)


def test_speed_comes_in_bells_of_about_a_tenth_of_a_second() -> None:
    gaps = []
    for person in range(20):
        sample = Signer.draw(person).genuine(1, tablet=Tablet(rate=200))[0]
        x, y, t = (np.array(values) for values in (sample.x, sample.y, sample.t))
        speed = np.convolve(np.hypot(np.gradient(x, t), np.gradient(y, t)), np.ones(7) / 7, mode="same")
        peaks = np.flatnonzero((speed[1:-1] > speed[:-2]) & (speed[1:-1] >= speed[2:])) + 1
        gaps.append(np.median(np.diff(t[peaks[speed[peaks] > 0.1 * speed.max()]])))
    assert 60 < np.median(gaps) < 180


@pytest.mark.parametrize("rate", [100, 200])
def test_the_tablet_records_whole_units_and_nothing_of_the_air(rate: int) -> None:
    for person in range(8):
        signer = Signer.draw(person)
        (sample,) = signer.genuine(1, tablet=Tablet(rate=rate))
        for values in (sample.x, sample.y, sample.t, sample.pressure):
            assert all(value == round(value) for value in values)
            assert len(values) == len(sample.pen_down)
        assert min(sample.x) == min(sample.y) == 200
        assert 1 <= min(sample.pressure) <= max(sample.pressure) <= 1023
        steps = np.diff(sample.t)
        assert sample.t[0] == 0
        assert steps.min() == 1000 / rate
        landed = ~np.array(sample.pen_down)
        np.testing.assert_array_equal(steps > 1000 / rate, landed[1:])
        assert landed[0]
        assert landed.sum() == 1 + signer.shape.lifted.sum()


def test_a_tablet_without_pressure_records_the_same_motion() -> None:
    signer = Signer.draw(2)
    (plain,) = signer.genuine(1, tablet=Tablet(pressure=False))
    (full,) = signer.genuine(1)
    assert plain.pressure == ()
    assert (plain.x, plain.y, plain.t, plain.pen_down) == (full.x, full.y, full.t, full.pen_down)


def test_more_counts_and_levels_make_larger_numbers() -> None:
    signer = Signer.draw(2)
    (coarse,) = signer.genuine(1, tablet=Tablet(counts_per_mm=10, levels=256))
    (fine,) = signer.genuine(1)
    np.testing.assert_allclose(np.ptp(coarse.x), np.ptp(fine.x) / 10, atol=1)
    assert max(coarse.pressure) <= 255


@pytest.mark.parametrize(
    ("draw", "field"),
    [
        (lambda: Signer.draw(-1), "person"),
        (lambda: Signer.draw(0, seed=-1), "person"),
        (lambda: Signer.draw(0).genuine(-1), "samples"),
        (lambda: Signer.draw(0).forgeries(-1), "samples"),
        (lambda: Tablet(rate=60), "rate"),
    ],
    ids=["person", "seed", "genuine", "forgeries", "rate"],
)
def test_numbers_that_make_no_sense_are_refused(draw: object, field: str) -> None:
    assert callable(draw)
    with pytest.raises(FieldInvalid) as caught:
        draw()
    assert caught.value.field == field


def test_shapes_differ_and_begin_with_the_pen_down() -> None:
    shapes = [draw_shape(np.random.default_rng(seed)) for seed in range(50)]
    for shape in shapes:
        assert 7 <= len(shape) <= 45
        assert shape.points.shape == (len(shape) + 1, 2)
        assert not shape.lifted[0]
        assert not shape.lifted[-1]
        assert np.abs(shape.turn).max() <= 2.6
    assert len({len(shape) for shape in shapes}) > 10
    assert 0.3 < np.mean([shape.lifted.any() for shape in shapes]) < 1.0


def test_a_hand_performs_the_shape_it_plans() -> None:
    """Without slant and incline the pen passes near every via-point and ends at the last one."""
    shape = Shape(np.array([[0, 0], [1, 2], [2, 0], [4, 1.0]]), np.array([0.5, -0.8, 0.1]), np.zeros(3, dtype=bool))
    hand = Hand(5.0, 0.0, 0.0, 0.15, 0.2, 0.15, 0.0, 0.5, 0.0, 0.0, 0.05, 1.0)
    strokes = perform(shape, np.ones(3), hand, np.random.default_rng(0))
    t = np.linspace(0, 3, 3001)
    path = position(strokes, t)
    np.testing.assert_allclose(path[-1], [20, 5], atol=1e-6)
    for point in 5 * shape.points:
        assert np.hypot(*(path - point).T).min() < 2.0
    leaning = perform(shape, np.ones(3), Hand(**{**vars(hand), "slant": 0.4}), np.random.default_rng(0))
    np.testing.assert_allclose(leaning.chord[0], [5 + 10 * np.tan(0.4), 10])


def test_a_forger_breaks_strokes_but_draws_the_same_shape() -> None:
    generator = np.random.default_rng(3)
    hand, shape = Hand.draw(generator), draw_shape(generator)
    forger = Forger.draw(hand, shape, draw_rhythm(len(shape), generator), generator)
    lengths = []
    for _ in range(30):
        plan, rhythm = forger.plan(shape, generator)
        lengths.append(len(plan))
        assert len(rhythm) == len(plan.lifted) == len(plan)
        assert plan.lifted.sum() == shape.lifted.sum()
        np.testing.assert_allclose(plan.points[[0, -1]], (shape.points + forger.misread_points)[[0, -1]])
        np.testing.assert_allclose(plan.turn.sum(), np.clip(shape.turn + forger.misread_turn, -2.6, 2.6).sum())
    assert min(lengths) >= len(shape)
    assert max(lengths) > len(shape)
    assert len(set(lengths)) > 1


def test_forgers_are_slower() -> None:
    ratios = [
        np.mean([duration(sample) for sample in signer.forgeries(8)])
        / np.mean([duration(sample) for sample in signer.genuine(8)])
        for signer in map(Signer.draw, range(12))
    ]
    assert 1.1 < np.median(ratios) < 1.8


def features(sample: StrokesSample, points: int = 48) -> FloatArray:
    """(points, 4): position and direction, uniform in time."""
    t = np.linspace(sample.t[0], sample.t[-1], points)
    where = np.stack([np.interp(t, sample.t, values) for values in (sample.x, sample.y)], axis=1)
    where = (where - where.mean(axis=0)) / np.sqrt(where.var(axis=0).sum())
    return np.concatenate([where, 8 * np.gradient(where, axis=0)], axis=1)


@pytest.fixture(scope="module")
def distances() -> dict[str, NDArray[np.float64]]:
    """Of probes to a person's references, relative to the references' own; by kind."""
    signers = [Signer.draw(person, seed=1) for person in range(PEOPLE)]
    own = [np.stack([features(s) for s in signer.genuine(REFERENCES + PROBES)]) for signer in signers]
    forged = [np.stack([features(s) for s in signer.forgeries(PROBES)]) for signer in signers]
    found: dict[str, list[FloatArray]] = {"genuine": [], "forgery": [], "random": []}
    for person in range(PEOPLE):
        references = own[person][:REFERENCES]
        others = np.stack([own[other][-1] for other in range(PEOPLE) if other != person])
        probes = {"genuine": own[person][REFERENCES:], "forgery": forged[person], "random": others}
        usual = to_references(references, references).sum() / (REFERENCES * (REFERENCES - 1))
        for kind, samples in probes.items():
            found[kind].append(to_references(samples, references).mean(axis=1) / usual)
    return {kind: np.concatenate(values) for kind, values in found.items()}


def to_references(samples: FloatArray, references: FloatArray) -> FloatArray:
    a, b = np.repeat(samples, len(references), axis=0), np.tile(references, (len(samples), 1, 1))
    lengths = np.full(len(a), a.shape[1])
    return dtw_distances(a, b, lengths, lengths).reshape(len(samples), len(references))


def test_forgeries_lie_between_genuine_signatures_and_strangers(distances: dict[str, FloatArray]) -> None:
    genuine, forgery, random = (np.median(distances[kind]) for kind in ("genuine", "forgery", "random"))
    assert genuine < 1.15
    assert 1.1 * genuine < forgery < 0.7 * random


def test_forgeries_fool_plain_time_warping_now_and_then_and_strangers_do_not(distances: dict[str, FloatArray]) -> None:
    """A matcher of this kind has 19 % against the forgers and 3 % against the strangers of SVC2004, who are real."""
    skilled = equal_error(-distances["genuine"], -distances["forgery"]).rate
    zero_effort = equal_error(-distances["genuine"], -distances["random"]).rate
    assert 0.05 < skilled < 0.3
    assert zero_effort < 0.05
