"""How parts of a comparison are weighed: on background people alone, with no forgery ever enrolled."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import train.identity_choice
from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec
from enroll.identity import IdentityModel
from enroll.person import Person
from train.background import fit_background
from train.embedding import Embedded, Prepared
from train.episodes import packed
from train.fusion import (
    FORGED,
    GENUINE,
    QUICKENED,
    RANDOM,
    RIDGE,
    Fused,
    Matching,
    Trials,
    _logistic,
    fuse,
    quickened_forgeries,
)
from train.identity_choice import REFERENCES, Candidate
from train.pen_variation import Distortion, distorted, stretched

Array = NDArray[np.float64]
PenTrace = Callable[..., Array]

VECTOR, LENGTH = 3, 48
EMBEDDED = ("embedding.log_mean", "embedding.log_min", "embedding.log_spread")
CANDIDATE = Candidate(IdentitySpec(kind="map", strength=15.0), within_shrinkage=0.5, total_shrinkage=0.5)
MATCHING = Matching(share=0.4, sets=("shape",), parts=("path_change",))


@pytest.fixture(scope="module")
def prepared(pen_trace: PenTrace) -> Prepared:
    """Two corpora of three people: seven goes at a signature of their own, two slow and careless imitations."""
    own, forger = Distortion.own_hand(0.1), Distortion(0.3, 0.3, 0.3)
    traces, labels, forged = [], [], []
    for person in range(6):
        generator = np.random.default_rng(person)
        signature = pen_trace(28, person, lifts=1)
        for hand, times, least in ((own, 7, 25), (forger, 2, 42)):
            lengths = generator.integers(least, least + 7, times)
            traces += [stretched(distorted(signature, hand, generator), int(count)) for count in lengths]
        labels += [person] * 9
        forged += [False] * 7 + [True] * 2
    frames, _ = packed(traces)
    assert frames.shape[2] == LENGTH
    corpora = tuple("town" if label < 3 else "village" for label in labels)
    return Prepared(frames.numpy(), np.array(labels), corpora, np.array(forged))


def rows_of(prepared: Prepared, seed: int) -> Embedded:
    """As the encoder would: an embedding of the person's with some noise, more of it if forged, and the trace."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(6, VECTOR))
    noise = np.where(prepared.forged, 0.7, 0.3)[:, None] * generator.normal(size=(len(prepared.labels), VECTOR))
    trace = prepared.inputs[:, [0, 1, 2, 4]].reshape(len(prepared.labels), -1).astype(np.float64)
    x = np.concatenate([centres[prepared.labels] + noise, trace], 1)
    return Embedded(x, prepared.labels, prepared.corpora, prepared.forged, VECTOR)


@pytest.fixture(scope="module")
def embedded(prepared: Prepared) -> Embedded:
    return rows_of(prepared, 0)


@pytest.fixture(scope="module")
def hurried(prepared: Prepared) -> Embedded:
    return rows_of(quickened_forgeries(prepared, seed=0), 1)


@pytest.fixture(scope="module")
def fused(embedded: Embedded, hurried: Embedded) -> Fused:
    return fuse(embedded, hurried, CANDIDATE, MATCHING, seed=0)


def weights(found: Fused) -> dict[str, float]:
    assert found.identity.matching is not None
    return found.identity.matching.weights


def test_quickened_forgeries_are_frames_like_any(prepared: Prepared) -> None:
    found = quickened_forgeries(prepared, seed=0)
    assert found.inputs.shape == (12, 5, LENGTH)
    assert found.inputs.dtype == np.float32
    assert np.isfinite(found.inputs).all()
    assert found.forged.all()
    np.testing.assert_array_equal(found.labels, np.repeat(np.arange(6), 2))
    assert found.corpora == ("town",) * 6 + ("village",) * 6
    lengths = found.inputs[:, 4].sum(1).astype(int)
    for row, n in enumerate(lengths):
        np.testing.assert_array_equal(found.inputs[row, 4], np.arange(LENGTH) < n)
        assert (found.inputs[row, :3, n:] == found.inputs[row, :3, n - 1 : n]).all()
        ink = found.inputs[row, :2, :n].astype(np.float64)
        np.testing.assert_allclose(ink.mean(1), 0.0, atol=1e-6)
        assert (ink**2).mean() == pytest.approx(1.0, abs=1e-5)
    # As quick as the writers, of 25 to 31 frames, where the forgeries took 42 and more.
    assert prepared.inputs[prepared.forged, 4].sum(1).min() >= 42
    assert 20 <= np.median(lengths) <= 36


def test_quickened_forgeries_follow_from_seed_and_row(prepared: Prepared) -> None:
    found, again, other = (quickened_forgeries(prepared, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(found.inputs, again.inputs)
    assert not np.array_equal(found.inputs, other.inputs)
    # Whoever else is there: without the last forgery the others stay what they are.
    kept = np.arange(len(prepared.labels) - 1)
    fewer = Prepared(prepared.inputs[kept], prepared.labels[kept], prepared.corpora[:-1], prepared.forged[kept])
    np.testing.assert_array_equal(quickened_forgeries(fewer, seed=0).inputs, found.inputs[:-1])


def test_a_forgery_of_nobody_here_keeps_its_length(prepared: Prepared) -> None:
    alone = np.flatnonzero(prepared.forged)[:1]
    lone = Prepared(prepared.inputs[alone], prepared.labels[alone], ("town",), prepared.forged[alone])
    found = quickened_forgeries(lone, seed=0)
    assert found.inputs[0, 4].sum() == pytest.approx(prepared.inputs[alone[0], 4].sum(), rel=0.5)


def test_every_part_has_a_weight(fused: Fused) -> None:
    assert set(weights(fused)) == {
        *("log_length", "path_change", "shape.log_mean", "shape.log_min", "shape.log_spread"),
        *EMBEDDED,
    }
    assert all(np.isfinite(value) for value in weights(fused).values())
    for name in ("shape", "embedding"):
        assert weights(fused)[f"{name}.log_mean"] + weights(fused)[f"{name}.log_min"] < 0.0
    assert fused.identity.matching is not None
    assert set(fused.identity.matching.lone_spread) == {"shape", "shape+pressure", "embedding"}
    assert fused.identity.calibration.scale > 0.0
    assert fused.genuine.mean() > fused.impostor.mean()
    # Three draws a person: two genuine probes; two forgeries and the same quickened. Other people are not among them.
    assert (len(fused.genuine), len(fused.impostor)) == (3 * 6 * 2, 3 * 6 * 4)


def test_the_embedding_counts_by_its_share(embedded: Embedded, hurried: Embedded, fused: Fused) -> None:
    for share in (0.0, 0.8):
        other = fuse(embedded, hurried, CANDIDATE, replace(MATCHING, share=share), seed=0)
        expected = weights(fused) | {name: share / 0.4 * weights(fused)[name] for name in EMBEDDED}
        assert weights(other) == pytest.approx(expected)
        assert all((weights(other)[name] == 0.0) == (share == 0.0) for name in EMBEDDED)


def with_learned(rows: Embedded) -> Embedded:
    """The rows and two channels of frames behind them: the trace's x and y, every second point."""
    trace = rows.x[:, VECTOR:].reshape(len(rows.x), 4, LENGTH)
    return replace(rows, x=np.concatenate([rows.x, trace[:, :2, ::2].reshape(len(rows.x), -1)], 1))


def test_learned_frames_count_by_their_share(embedded: Embedded, hurried: Embedded, fused: Fused) -> None:
    rows = with_learned(embedded), with_learned(hurried)
    half, whole, none = (
        fuse(*rows, CANDIDATE, replace(MATCHING, learned=share), seed=0, channels=2) for share in (0.5, 1.0, 0.0)
    )
    assert half.identity.matching is not None
    assert half.identity.matching.learned == 2
    own = [f"learned.{part}" for part in ("log_mean", "log_min", "log_spread")]
    assert {name: weights(none)[name] for name in weights(fused)} == pytest.approx(weights(fused))
    for name in (*own, "log_length"):
        halves = weights(half)[name] - weights(none)[name]
        assert weights(whole)[name] - weights(none)[name] == pytest.approx(2 * halves)
        assert halves != 0.0
    assert weights(half)["learned.log_mean"] + weights(half)["learned.log_min"] < 0.0


def test_raw_scores_are_the_service_s(embedded: Embedded, fused: Fused) -> None:
    """Calibrated with nothing, the model of the found spec gives the raw scores that the fit reports."""
    spec = fused.identity.model_copy(update={"calibration": CalibrationSpec()})
    generator = np.random.default_rng((0, 1))
    town, village = (np.array(embedded.corpora) == name for name in ("town", "village"))
    found = []
    for group, rest in ((town, village), (village, town)):
        others = embedded.part(rest)
        background = fit_background(*others.own, within_shrinkage=0.5, total_shrinkage=0.5)
        model, own = IdentityModel(spec, background), embedded.part(group)
        for person in np.unique(own.labels):
            mine = np.flatnonzero((own.labels == person) & ~own.forged)
            for _ in range(3):
                order = generator.permutation(mine)
                found.append(model.llr(model.fit(own.x[order[:REFERENCES]]), own.x[order[REFERENCES:]]))
                strangers = np.flatnonzero((own.labels != person) & ~own.forged)
                generator.choice(strangers, min(20, len(strangers)), replace=False)
    np.testing.assert_allclose(fused.genuine, np.concatenate(found), rtol=1e-9)


def test_no_forgery_is_enrolled_or_fits_a_background(
    embedded: Embedded, hurried: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled: list[Array] = []
    fitted: list[Array] = []
    fit = IdentityModel.fit

    def spy(model: IdentityModel, references: Array) -> Person:
        enrolled.extend(references)
        return fit(model, references)

    def background(vectors: Array, labels: NDArray[np.int64], **shrinkage: float) -> dict[str, Array]:
        fitted.extend(vectors)
        return fit_background(vectors, labels, **shrinkage)

    monkeypatch.setattr(IdentityModel, "fit", spy)
    monkeypatch.setattr(train.identity_choice, "fit_background", background)
    fuse(embedded, hurried, CANDIDATE, MATCHING, seed=0)
    genuine = {row.tobytes() for row in embedded.x[~embedded.forged]}
    assert {row.tobytes() for row in enrolled} <= genuine
    assert len(enrolled) == (3 + 1) * 6 * REFERENCES  # three draws of everybody, and once for the lone spread
    vectors = {row.tobytes() for row in embedded.x[~embedded.forged, :VECTOR]}
    assert {row.tobytes() for row in fitted} == vectors


def test_the_same_seed_gives_the_same_weights(embedded: Embedded, hurried: Embedded, fused: Fused) -> None:
    again = fuse(embedded, hurried, CANDIDATE, MATCHING, seed=0)
    assert again.identity == fused.identity
    assert weights(fuse(embedded, hurried, CANDIDATE, MATCHING, seed=1)) != weights(fused)


def made_up(counts: tuple[tuple[int, int, int, int], ...]) -> Trials:
    """Trials of enrolments with these numbers of each kind, two parts of no particular scale."""
    generator = np.random.default_rng(0)
    kind = np.concatenate([np.repeat(np.arange(4), of_kind) for of_kind in counts])
    enrolment = np.repeat(np.arange(len(counts)), [sum(of_kind) for of_kind in counts])
    near = np.where(kind == 0, 1.0, -0.5)
    parts = {
        "a": 7.0 + 3.0 * (near + generator.normal(size=len(kind))),
        "b": 0.1 * (generator.normal(size=len(kind)) - near),
    }
    return Trials(parts, kind, enrolment)


def test_the_regression_is_at_the_minimum_of_its_objective() -> None:
    """Σ weight·log(1 + e^−±z) + |w|²/(2C), z = w·standardised + intercept, which is free: no slope anywhere."""
    trials = made_up(((3, 2, 2, 9), (1, 4, 4, 2), (5, 1, 0, 3), (2, 0, 0, 20)))
    found = _logistic(trials, ["a", "b"])
    x = np.stack([trials.parts[name] for name in ("a", "b")], 1)
    standard = (x - x.mean(0)) / x.std(0)
    w = np.array([found[name] for name in ("a", "b")]) * x.std(0)
    share = {0: GENUINE, 1: FORGED, 2: QUICKENED, 3: RANDOM}
    weight = np.array(
        [
            share[kind] / np.sum((trials.enrolment == enrolment) & (trials.kind == kind))
            for kind, enrolment in zip(trials.kind, trials.enrolment, strict=True)
        ]
    )
    assert weight.sum() == pytest.approx(4 - 2 * QUICKENED - FORGED)
    target = np.where(trials.kind == 0, 1.0, 0.0)

    def residual(intercept: float) -> Array:
        return np.asarray(weight * (1.0 / (1.0 + np.exp(-(standard @ w + intercept))) - target))

    low, high = -20.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if residual(middle).sum() < 0.0 else (low, middle)
    slope = RIDGE * standard.T @ residual(low) + w
    np.testing.assert_allclose(slope, 0.0, atol=1e-4)
    assert sum((GENUINE, FORGED, QUICKENED, RANDOM)) == pytest.approx(1.0)


def test_parts_are_weighed_whatever_their_unit() -> None:
    trials = made_up(((3, 2, 2, 9), (1, 4, 4, 2)))
    other = replace(trials, parts={"a": 100.0 * trials.parts["a"] - 5.0, "b": trials.parts["b"]})
    before, after = _logistic(trials, ["a", "b"]), _logistic(other, ["a", "b"])
    assert after == pytest.approx({"a": before["a"] / 100.0, "b": before["b"]}, rel=1e-3)
    constant = replace(trials, parts=trials.parts | {"c": np.ones(len(trials.kind))})
    assert abs(_logistic(constant, ["a", "b", "c"])["c"]) < 1e-6


def test_too_few_signatures_to_weigh_anything_are_refused(embedded: Embedded, hurried: Embedded) -> None:
    few = np.concatenate([np.flatnonzero(embedded.labels == person)[:REFERENCES] for person in range(6)])
    kept = np.zeros(len(embedded.labels), np.bool_)
    kept[few] = True
    with pytest.raises(TrainingError, match="more than 5 signatures"):
        fuse(embedded.part(kept), hurried, CANDIDATE, MATCHING, seed=0)
    unforged = embedded.part(~embedded.forged)
    nothing = hurried.part(np.zeros(len(hurried.labels), np.bool_))
    with pytest.raises(TrainingError, match="was forged"):
        fuse(unforged, nothing, CANDIDATE, MATCHING, seed=0)


def test_without_forgeries_there_is_nothing_to_weigh(prepared: Prepared, embedded: Embedded) -> None:
    genuine = ~prepared.forged
    honest = Prepared(
        prepared.inputs[genuine],
        prepared.labels[genuine],
        tuple(embedded.part(genuine).corpora),
        prepared.forged[genuine],
    )
    with pytest.raises(TrainingError, match="was forged"):
        quickened_forgeries(honest, seed=0)
