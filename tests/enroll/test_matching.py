"""Frame matching as a score: each part written out, the weights, pressure on both sides, and one reference alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from encode.errors import BundleCorrupt, FieldInvalid, TooFewReferences
from encode.manifest import CalibrationSpec, IdentitySpec, MatchingSpec
from enroll.dtw import dtw_distances
from enroll.frames import LEARNED, SETS, prepare_frames
from enroll.identity import IdentityModel
from enroll.matching import DISTANCE_FLOOR, lone_spread, part_names
from enroll.person import Person

Array = NDArray[np.float64]

VECTOR, CAPACITY, OWN = 3, 40, 2
CHANNELS = ("x", "y", "pressure", "mask")
BACKGROUND = {"mean": np.zeros(VECTOR), "total": np.eye(VECTOR), "within": 0.1 * np.eye(VECTOR)}
LONE = {f"{name}{pressure}": -9.0 for name in (*SETS, LEARNED) for pressure in ("", "+pressure")} | {"embedding": -9.0}
"""Of people who hardly vary: no floor is met."""
ALL = dict.fromkeys(part_names(), 1.0)


def row(seed: int, points: int, *, pressure: bool = True) -> NDArray[np.float32]:
    """An embedding, a trace and frames of the encoder's own, as an encoder puts them out."""
    generator = np.random.default_rng(seed)
    trace = np.zeros((4, CAPACITY))
    trace[:2, :points] = generator.normal(size=(2, points)).cumsum(1)
    trace[2, :points] = generator.integers(1, 1024, points) if pressure else 0.0
    trace[3, :points] = 1.0
    own = np.zeros((OWN, CAPACITY // 2))
    own[:, : (points + 1) // 2] = np.random.default_rng((seed, 1)).normal(size=(OWN, (points + 1) // 2))
    return np.concatenate([generator.normal(size=VECTOR), trace.ravel(), own.ravel()]).astype(np.float32)


def rows(*points: int, first: int = 0, pressure: bool = True) -> NDArray[np.float32]:
    return np.stack([row(first + index, count, pressure=pressure) for index, count in enumerate(points)])


def model(weights: dict[str, float], lone: dict[str, float] = LONE, **identity: Any) -> IdentityModel:
    matching = MatchingSpec(weights=weights, lone_spread=lone, learned=OWN)
    return IdentityModel(IdentitySpec(kind="pooled", matching=matching, **identity), BACKGROUND)


def naive_distance(a: Array, b: Array, name: str, *, pressure: bool) -> float:
    """The distance of two rows in one feature set, on its own."""
    if name == LEARNED:
        counts = [(ink(sample).shape[1] + 1) // 2 for sample in (a, b)]
        own = [
            sample[VECTOR + 4 * CAPACITY :].reshape(OWN, -1)[:, :count].T
            for sample, count in zip((a, b), counts, strict=True)
        ]
        return float(dtw_distances(own[0][None], own[1][None], counts[:1], counts[1:])[0])
    both = np.stack([a, b]).astype(np.float64)[:, VECTOR:]
    frames = prepare_frames(both, CHANNELS, (name,), field="rows", learned=OWN)
    width = frames.features.shape[-1] if pressure else -1
    one, other = (frames.features[index : index + 1, 0, : frames.lengths[index], :width] for index in (0, 1))
    return float(dtw_distances(one, other, [one.shape[1]], [other.shape[1]])[0])


def ink(sample: Array) -> Array:
    trace = sample[VECTOR : VECTOR + 4 * CAPACITY].astype(np.float64).reshape(4, CAPACITY)
    return trace[:2, trace[3] > 0.5]


def way(sample: Array) -> float:
    x, y = ink(sample)
    steps = [((x[t + 1] - x[t]) ** 2 + (y[t + 1] - y[t]) ** 2) ** 0.5 for t in range(len(x) - 1)]
    return float(np.log(sum(steps) / ((x.var() + y.var()) / 2) ** 0.5))


def aspect(sample: Array) -> float:
    x, y = ink(sample)
    return float(np.log((x.max() - x.min()) / (y.max() - y.min())))


REFERENCES, PROBES = rows(20, 25, 30), rows(22, 35, first=100)


@pytest.mark.parametrize("pressure", [False, True])
def test_every_part_is_its_formula(pressure: bool) -> None:
    probes = PROBES if pressure else rows(22, 35, first=100, pressure=False)
    matched = model(ALL)
    found = matched.parts(matched.fit(REFERENCES), probes)
    assert set(found) == set(part_names())
    for index, probe in enumerate(probes):
        for name in (*SETS, LEARNED):
            d = [naive_distance(probe, reference, name, pressure=pressure) for reference in REFERENCES]
            own = [
                naive_distance(REFERENCES[i], REFERENCES[j], name, pressure=pressure)
                for i in range(3)
                for j in range(3)
                if i != j
            ]
            expected = {
                "log_mean": np.log(np.mean(d)),
                "log_min": np.log(min(d)),
                "log_middle": np.log((np.mean(d) + min(d)) / 2),
                "log_spread": np.log(np.mean(own)),
            }
            for part, value in expected.items():
                assert found[f"{name}.{part}"][index] == pytest.approx(value, abs=1e-5)
        assert found["log_length"][index] == pytest.approx(np.log(25))
        apart = [np.linalg.norm(probe[:VECTOR] - reference[:VECTOR]) for reference in REFERENCES]
        between = [np.linalg.norm(REFERENCES[i, :VECTOR] - REFERENCES[j, :VECTOR]) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert found["embedding.log_mean"][index] == pytest.approx(np.log(np.mean(apart)))
        assert found["embedding.log_min"][index] == pytest.approx(np.log(min(apart)))
        assert found["embedding.log_spread"][index] == pytest.approx(np.log(np.mean(between)))
        assert found["path_change"][index] == pytest.approx(abs(way(probe) - np.mean([way(r) for r in REFERENCES])))
        assert found["aspect_change"][index] == pytest.approx(
            abs(aspect(probe) - np.mean([aspect(r) for r in REFERENCES]))
        )
        assert found["length_change"][index] == pytest.approx(abs(np.log((22, 35)[index] / 25)))
    plain = IdentityModel(IdentitySpec(kind="pooled"), BACKGROUND)
    ratio = plain.llr(plain.fit(REFERENCES[:, :VECTOR]), probes[:, :VECTOR])
    np.testing.assert_allclose(found["gaussian"], ratio)


def test_the_score_is_the_weighted_sum_of_parts_calibrated() -> None:
    weights = {"shape.log_middle": -1.0, "motion.log_spread": 0.7, "gaussian": 0.25, "log_length": 0.3}
    matched = model(weights, calibration=CalibrationSpec(scale=2.0, offset=-1.0))
    person = matched.fit(REFERENCES)
    parts = matched.parts(person, PROBES)
    raw = sum(weights[name] * parts[name] for name in weights)
    found = matched.llr(person, PROBES)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, 2.0 * raw - 1.0)


def test_the_weight_of_the_gaussian_alone_is_the_plain_model() -> None:
    matched, plain = model({"gaussian": 1.0}), IdentityModel(IdentitySpec(kind="pooled"), BACKGROUND)
    np.testing.assert_array_equal(
        matched.llr(matched.fit(REFERENCES), PROBES), plain.llr(plain.fit(REFERENCES), PROBES)
    )


def test_without_matching_the_trace_is_left_alone() -> None:
    plain = IdentityModel(IdentitySpec(kind="pooled"), BACKGROUND)
    spoiled = PROBES.copy()
    spoiled[:, VECTOR:] = np.nan
    person = plain.fit(REFERENCES)
    assert person.frames is None
    np.testing.assert_array_equal(plain.llr(person, spoiled), plain.llr(person, PROBES))


def test_probes_are_scored_alike_together_and_alone_with_and_without_pressure() -> None:
    matched = model(ALL)
    person = matched.fit(REFERENCES)
    probes = np.concatenate([PROBES, rows(30, first=200, pressure=False), rows(18, first=300)])
    together = matched.llr(person, probes)
    np.testing.assert_allclose(together, [matched.llr(person, probe)[0] for probe in probes], rtol=1e-6)
    assert matched.llr(person, probes[:0]).shape == (0,)


def test_pressure_counts_only_if_the_probe_and_every_reference_measured_it() -> None:
    matched = model({name: 1.0 for name in part_names() if not name.startswith(("gaussian", "embedding"))})
    silent = rows(22, 35, first=100, pressure=False)
    without = matched.llr(matched.fit(rows(20, 25, 30, pressure=False)), silent)
    np.testing.assert_allclose(matched.llr(matched.fit(REFERENCES), silent), without)
    mixed = np.concatenate([REFERENCES[:2], rows(20, 25, 30, pressure=False)[2:]])
    np.testing.assert_array_equal(mixed[2, VECTOR : VECTOR + CAPACITY], REFERENCES[2, VECTOR : VECTOR + CAPACITY])
    person = matched.fit(mixed)
    np.testing.assert_allclose(matched.llr(person, PROBES)[:1], matched.llr(person, PROBES[:1]), rtol=1e-9)
    # Without pressure the two probes differ from `silent` in the trace alone: x and y come first in the random numbers.
    np.testing.assert_allclose(matched.llr(person, PROBES), without)


def test_of_one_reference_the_bundles_mean_ratio_stands_in_for_the_spread() -> None:
    lone = {"shape": 0.2, "shape+pressure": 0.6}
    matched = model({"shape.log_spread": 1.0}, lone)
    assert matched.minimum == 1
    person = matched.fit(REFERENCES[:1])
    np.testing.assert_allclose(matched.llr(person, PROBES), np.log(20) + 0.6)
    np.testing.assert_allclose(matched.llr(person, rows(22, first=100, pressure=False)), np.log(20) + 0.2)


def test_a_bundle_without_that_ratio_needs_two_references() -> None:
    matched = model({"shape.log_spread": 1.0}, {"shape": 0.2})
    assert matched.minimum == 2
    with pytest.raises(TooFewReferences, match="needs 2 references"):
        matched.fit(REFERENCES[:1])
    assert model({"shape.log_mean": -1.0}, {}).minimum == 1
    assert model({"embedding.log_spread": 1.0}, {}).minimum == 2


def test_of_one_embedding_the_bundles_mean_stands_in_for_the_spread() -> None:
    matched = model({"embedding.log_spread": 1.0}, {"embedding": -0.7})
    np.testing.assert_allclose(matched.llr(matched.fit(REFERENCES[:1]), PROBES), -0.7)


def test_the_mean_ratio_is_measured_on_people() -> None:
    matched = model(ALL)
    people = [matched.fit(rows(20, 25, 30)), matched.fit(rows(12, 18, first=50)), matched.fit(rows(30, first=70))]
    found = lone_spread(people)
    assert set(found) == set(LONE)
    for index, name in enumerate((*SETS, LEARNED)):
        for suffix, pressure in (("", False), ("+pressure", True)):
            ratios = [
                np.log(person.mutual(pressure=pressure)[*np.triu_indices(len(person.references), 1), index].mean())
                - np.log(person.references.lengths.mean())
                for person in people[:2]
            ]
            assert found[name + suffix] == pytest.approx(np.mean(ratios))
    vectors = [person.embeddings for person in people[:2]]
    apart = [np.linalg.norm(x[i] - x[j]) for x in vectors for i, j in zip(*np.triu_indices(len(x), 1), strict=True)]
    assert found["embedding"] == pytest.approx((np.log(np.mean(apart[:3])) + np.log(apart[3])) / 2)
    silent = lone_spread([matched.fit(rows(20, 25, pressure=False))])
    assert silent["shape+pressure"] == silent["shape"]
    assert lone_spread(people[2:]) == {}


def test_mutual_distances_are_computed_once() -> None:
    matched = model({"shape.log_spread": 1.0})
    person = matched.fit(REFERENCES)
    first = person.mutual(pressure=True)
    np.testing.assert_array_equal(first, first.transpose(1, 0, 2))
    assert not first[np.arange(3), np.arange(3)].any()
    matched.llr(person, PROBES)
    assert person.mutual(pressure=True) is first


def test_a_copy_of_a_reference_scores_high_but_finite() -> None:
    matched = model({"shape.log_min": -1.0})
    person = matched.fit(REFERENCES)
    copied, other = matched.llr(person, np.stack([REFERENCES[0], PROBES[0]]))
    assert other < copied <= -np.log(DISTANCE_FLOOR) + 1e-9


def test_likeness_raises_the_score() -> None:
    weights = {"shape.log_middle": -1.0, "shape.log_spread": 0.7, "log_length": 0.3}
    matched = model(weights)
    generator = np.random.default_rng(0)
    own = np.repeat(row(5, 30)[np.newaxis], 7, axis=0)
    own[:, VECTOR : VECTOR + 2 * CAPACITY] += generator.normal(0, 0.05, (7, 2 * CAPACITY)).astype(np.float32)
    person = matched.fit(own[:5])
    assert matched.llr(person, own[5:]).min() > matched.llr(person, PROBES).max()


def test_a_bundle_with_a_part_that_does_not_exist_cannot_be_used() -> None:
    with pytest.raises(BundleCorrupt, match=r"no part 'shape\.log_max'") as caught:
        model({"shape.log_max": 1.0})
    assert caught.value.field == "manifest.json:identity.matching"


@pytest.mark.parametrize(
    "changes",
    [{"weights": {}}, {"channels": ("x", "y", "mask")}, {"channels": (*CHANNELS, "x")}, {"weights": {"a": np.inf}}],
)
def test_a_matching_that_cannot_work_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MatchingSpec.model_validate({"weights": {"gaussian": 1.0}, **changes})


def test_traces_that_cannot_be_read_are_named() -> None:
    matched = model(ALL)
    person = matched.fit(REFERENCES)
    with pytest.raises(FieldInvalid, match="rows of 4 channels") as caught:
        matched.llr(person, PROBES[:, :-1])
    assert caught.value.field == "probes"
    with pytest.raises(FieldInvalid, match="rows of 4 channels") as caught:
        matched.fit(REFERENCES[:, :VECTOR])
    assert caught.value.field == "references"
    with pytest.raises(FieldInvalid, match="rows of 3 values"):
        matched.llr(person, PROBES[:, : VECTOR - 1])


def test_a_person_without_frames_has_none_to_match() -> None:
    plain = IdentityModel(IdentitySpec(kind="pooled"), BACKGROUND)
    with pytest.raises(ValueError, match="without frames"):
        Person(plain.fit(REFERENCES).gaussian).spread(pressure=False)


def test_a_signature_enrolled_twice_counts_once() -> None:
    lone = {"shape": 0.2, "shape+pressure": 0.6, "embedding": 0.1}
    weights = {"shape.log_mean": -1.0, "shape.log_spread": 1.0, "embedding.log_mean": -1.0, "embedding.log_spread": 1.0}
    matched = model(weights, lone)
    once = matched.llr(matched.fit(REFERENCES[:1]), PROBES)
    twice = matched.llr(matched.fit(np.concatenate([REFERENCES[:1]] * 2)), PROBES)
    np.testing.assert_allclose(twice, once)
    three = matched.fit(np.concatenate([REFERENCES, REFERENCES[:1]]))
    assert np.abs(matched.llr(three, PROBES) - matched.llr(matched.fit(REFERENCES), PROBES)).max() < 1.0


def test_a_replayed_reference_is_no_nearer_than_a_quarter_of_the_usual_spread() -> None:
    lone = {"shape": 0.2, "shape+pressure": 0.6, "embedding": 0.1}
    parts = model({"shape.log_min": -1.0, "embedding.log_min": -1.0}, lone)
    person = parts.fit(REFERENCES)
    found = parts.parts(person, REFERENCES[:1])
    assert found["shape.log_min"][0] == pytest.approx(np.log(0.25 * 25) + 0.6)
    assert found["embedding.log_min"][0] == pytest.approx(np.log(0.25) + 0.1)
