"""The threshold of a whole search: held by synthetic strangers, equal to a claim's for one person, never below it."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TargetFarUnavailable
from encode.manifest import IdentitySpec
from encode.sample import Modality
from enroll.identity import IdentityModel
from verify.fused_policy import fuse
from verify.policy import Policy
from verify.score_summary import summarize
from verify.search_threshold import SearchThresholds, comparison_far

MakePolicy = Callable[..., Policy]
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
D = 24
FARS = (0.1, 0.05, 0.01, 0.001)


class Crowd:
    """People whose embeddings are as an identity model assumes: means with B, samples about them with W."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.within, self.between = np.eye(D), np.diag(np.linspace(2.0, 0.4, D))
        spec = IdentitySpec.model_validate({"kind": "map", "strength": 50.0})
        background = {"mean": np.zeros(D), "total": self.within + self.between, "within": self.within}
        self.model = IdentityModel(spec, background)

    def means(self, count: int) -> Array:
        return self._rng.normal(size=(count, D)) * np.sqrt(np.diag(self.between))

    def samples(self, means: Array) -> Array:
        return means + self._rng.normal(size=means.shape)

    def scores(self, people: int, probes: int) -> Array:
        """Strangers against people enrolled with five references: float64 (probes, people)."""
        enrolled = [self.model.fit(self.samples(np.repeat(mean[None], 5, 0))) for mean in self.means(people)]
        strangers = self.samples(self.means(probes))
        return np.stack([self.model.llr(one, strangers) for one in enrolled], axis=1)


def measured(scores: Array, make_policy: MakePolicy, modality: Modality = Modality.FACE) -> Policy:
    """A policy that these impostor scores (probes, people) make."""
    impostor = np.sort(scores.ravel())
    rows = []
    for far in FARS:
        rate = {"value": far, "low": far / 2, "high": 2 * far}
        threshold = float(impostor[len(impostor) - int(far * len(impostor))])
        rows.append({"target_far": far, "threshold": threshold, "achieved_far": rate, "frr": rate})
    return make_policy(
        ("a" if modality is Modality.FACE else "b") * 64,
        modality=modality,
        table=rows,
        trials={"genuine": 500, "impostor": impostor.size},
        scores=summarize(np.linspace(5, 30, 500), impostor).model_dump(),
    )


@pytest.mark.parametrize("people", [20, 100, 400])
def test_searches_of_strangers_keep_to_the_rate_asked_for(people: int, make_policy: MakePolicy) -> None:
    """3,000 searches by people of whom nobody is enrolled, at 1 % and 5 %: never significantly more are named."""
    development = measured(Crowd(1).scores(200, 200), make_policy)
    best = Crowd(2).scores(people, 3_000).max(1)
    for target in (0.05, 0.01):
        rule = SearchThresholds().of(development, target, people)
        named = int((best >= rule.threshold).sum())
        expected = target * len(best)
        assert named <= expected + 3 * np.sqrt(expected), (named, expected)
        assert rule.comparison_far == pytest.approx(1 - (1 - target) ** (1 / people))


def test_the_threshold_of_a_claim_would_name_far_too_many(make_policy: MakePolicy) -> None:
    """What the correction is for: at the claim's own threshold most strangers of a large gallery are somebody."""
    development = measured(Crowd(1).scores(200, 200), make_policy)
    best = Crowd(2).scores(400, 500).max(1)
    assert (best >= development.row_for(0.01).threshold).mean() > 0.3


def test_of_one_person_it_is_the_claims_threshold(make_policy: MakePolicy) -> None:
    policy = measured(Crowd(1).scores(60, 60), make_policy)
    for row in policy.table:
        rule = SearchThresholds().of(policy, row.target_far, 1)
        assert (rule.threshold, rule.policy_id) == (row.threshold, policy.id)
        assert SearchThresholds().of(policy, row.target_far, 0).threshold == row.threshold


def test_it_rises_with_the_gallery_and_says_when_it_is_extrapolated(make_policy: MakePolicy) -> None:
    scores = Crowd(1).scores(200, 200)
    face, signature = (measured(scores, make_policy, modality) for modality in (Modality.FACE, Modality.SIGNATURE))
    for policy in (face, fuse(face, signature)):
        rules = [SearchThresholds().of(policy, 0.01, people) for people in (1, 3, 10, 100, 10**4, 10**6, 10**9)]
        thresholds = [rule.threshold for rule in rules]
        assert thresholds == sorted(thresholds)
        assert len(set(thresholds[3:])) == len(thresholds[3:])
        assert [rule.beyond_evidence for rule in rules] == [False] * 3 + [True] * 4 or policy is not face
        assert rules[-1].beyond_evidence


def test_two_modalities_keep_to_it_too(make_policy: MakePolicy) -> None:
    scores = Crowd(1).scores(200, 200)
    fused = fuse(*(measured(scores, make_policy, modality) for modality in (Modality.FACE, Modality.SIGNATURE)))
    best = (Crowd(2).scores(100, 2_000) + Crowd(3).scores(100, 2_000)).max(1)
    rule = SearchThresholds().of(fused, 0.05, 100)
    expected = 0.05 * len(best)
    assert (best >= rule.threshold).sum() <= expected + 3 * np.sqrt(expected)


def test_without_a_summary_markovs_bound_stands_in(make_policy: MakePolicy) -> None:
    policy = make_policy("a" * 64)
    rule = SearchThresholds().of(policy, 0.001, 10_000)
    assert rule.threshold == pytest.approx(-np.log(rule.comparison_far))
    assert rule.beyond_evidence


def test_a_rate_that_the_policy_does_not_have_is_refused(make_policy: MakePolicy) -> None:
    with pytest.raises(TargetFarUnavailable):
        SearchThresholds().of(make_policy("a" * 64), 0.02, 10)


def test_the_rate_of_a_comparison_adds_up_to_that_of_the_search() -> None:
    for people in (1, 7, 10**6):
        assert 1 - (1 - comparison_far(0.001, people)) ** people == pytest.approx(0.001)
