"""The encoder's own frames behind the trace: weighed where a bundle says so, and without effect where it does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import BundleCorrupt
from encode.manifest import IdentitySpec, MatchingSpec
from enroll.dtw import dtw_distances
from enroll.frames import LEARNED
from enroll.identity import IdentityModel

VECTOR, POINTS, OWN = 2, 24, 3
END = VECTOR + 4 * POINTS
BACKGROUND = {"mean": np.zeros(VECTOR), "total": np.eye(VECTOR), "within": 0.1 * np.eye(VECTOR)}


def row(seed: int, points: int) -> NDArray[np.float32]:
    """An embedding, a trace and three channels of the encoder's own frames."""
    generator = np.random.default_rng(seed)
    trace, own = np.zeros((4, POINTS)), np.zeros((OWN, POINTS // 2))
    trace[:2, :points] = generator.normal(size=(2, points)).cumsum(1)
    trace[3, :points] = 1.0
    own[:, : (points + 1) // 2] = generator.normal(size=(OWN, (points + 1) // 2))
    return np.concatenate([generator.normal(size=VECTOR), trace.ravel(), own.ravel()]).astype(np.float32)


REFERENCES = np.stack([row(seed, points) for seed, points in ((0, 24), (1, 19), (2, 20))])
PROBES = np.stack([row(3, 17), row(4, 23)])


def model(weights: dict[str, float], learned: int | None) -> IdentityModel:
    matching = MatchingSpec(weights=weights, learned=learned)
    return IdentityModel(IdentitySpec(kind="pooled", matching=matching), BACKGROUND)


def own_frames(sample: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 (1, n, OWN), one frame for two points, the last for one where their number is odd."""
    points = int(sample[VECTOR + 3 * POINTS : END].sum())
    return sample[END:].astype(np.float64).reshape(OWN, -1)[:, : (points + 1) // 2].T[None]


def test_their_parts_are_those_of_a_feature_set() -> None:
    alone = model({"learned.log_mean": -1.0, "learned.log_min": -1.0, "learned.log_spread": 0.5}, OWN)
    person = alone.fit(REFERENCES)
    assert person.references.sets == (LEARNED,)

    def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        one, other = own_frames(a), own_frames(b)
        return float(dtw_distances(one, other, [one.shape[1]], [other.shape[1]])[0])

    found = alone.parts(person, PROBES)
    for index, probe in enumerate(PROBES):
        between = [distance(probe, reference) for reference in REFERENCES]
        assert found["learned.log_mean"][index] == pytest.approx(np.log(np.mean(between)), abs=1e-6)
        assert found["learned.log_min"][index] == pytest.approx(np.log(min(between)), abs=1e-6)
    mutual = [distance(REFERENCES[i], REFERENCES[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["learned.log_spread"] == pytest.approx(np.log(np.mean(mutual)), abs=1e-6)


def test_a_bundle_cannot_weigh_frames_that_its_rows_do_not_hold() -> None:
    with pytest.raises(BundleCorrupt, match="no learned frames") as caught:
        model({"learned.log_mean": -1.0}, None)
    assert caught.value.field == "manifest.json:identity.matching"


def test_behind_the_trace_they_change_nothing_that_is_weighed_without_them() -> None:
    weights = {"shape.log_mean": -1.0, "path_change": -1.0}
    without, with_them = model(weights, None), model(weights, OWN)
    expected = without.llr(without.fit(REFERENCES[:, :END]), PROBES[:, :END])
    np.testing.assert_array_equal(with_them.llr(with_them.fit(REFERENCES), PROBES), expected)


def test_a_manifest_without_them_is_written_and_digested_as_before() -> None:
    assert "learned" not in MatchingSpec(weights={"gaussian": 1.0}).model_dump()
    assert MatchingSpec(weights={"gaussian": 1.0}, learned=4).model_dump()["learned"] == 4
