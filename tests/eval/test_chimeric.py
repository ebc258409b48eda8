"""Chimeric people: who is paired with whom, and which trials that gives."""

from collections import Counter

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.chimeric import Pairing, chimeric_pairing, own_pairing, pair_trials
from eval.trials import KINDS, ScoreTable, TrialKind

SAMPLES = {"face": 5, "signature": 7}
FORGERIES = 3


def table(modality: str, *, people: int, draws: int = 3, seed: int = 0, failing: str = "") -> ScoreTable:
    """Everyone is claimed in every draw; samples 0 and 1 + draw are references. Sample ids name their owner."""
    generator = np.random.default_rng(seed)
    names = tuple(f"{modality[0]}{person}" for person in range(people))
    samples = [f"{name}/{number}" for name in names for number in range(SAMPLES[modality])]
    forged = [f"{name}/forged{number}" for name in names for number in range(FORGERIES)]
    ids = (*samples, *(forged if modality == "signature" else ()))
    rows = []
    for claim, name in enumerate(names):
        for draw in range(draws):
            references = {f"{name}/0", f"{name}/{1 + draw}"}
            for probe, sample in enumerate(ids):
                owner, number = sample.split("/")
                if number.startswith("forged"):
                    kind = TrialKind.SKILLED if owner == name else None
                else:
                    kind = TrialKind.GENUINE if owner == name else TrialKind.RANDOM
                if kind is not None and sample not in references:
                    rows.append((KINDS.index(kind), claim, draw, probe))
    kind, claim, draw, probe = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    scores = generator.normal(0, 3, len(rows)) + 6 * (kind == 0)
    scores[[sample == failing for sample in np.array(ids)[probe]]] = -np.inf
    return ScoreTable(names, ids, kind.astype(np.int8), scores, claim, draw, probe, modality[0] * 64)


@pytest.fixture
def faces() -> ScoreTable:
    return table("face", people=6, seed=1)


@pytest.fixture
def signatures() -> ScoreTable:
    return table("signature", people=4, seed=2)


def looked_up(scores: ScoreTable) -> dict[tuple[str, int, str], float]:
    """(claimed person, draw, probe) → score."""
    return {
        (scores.people[c], int(d), scores.samples[p]): s
        for c, d, p, s in zip(scores.claim, scores.draw, scores.probe, scores.scores, strict=True)
    }


@pytest.mark.parametrize("seed", range(5))
def test_every_trial_is_one_attempt_on_one_person(faces: ScoreTable, signatures: ScoreTable, seed: int) -> None:
    pairing = chimeric_pairing(faces, signatures, seed)
    face_of = {p: faces.people[index] for p, index in enumerate(pairing.faces)}
    signature_of = {p: signatures.people[index] for p, index in enumerate(pairing.signatures)}
    person_of = {name: p for side in (face_of, signature_of) for p, name in side.items()}
    face_scores, signature_scores = looked_up(faces), looked_up(signatures)
    seen: dict[TrialKind, Counter[tuple[int, int, int]]] = {}
    for kind, trials in pair_trials(faces, signatures, pairing, seed).items():
        seen[kind] = Counter()
        for m in range(len(trials)):
            claim, draw = int(trials.fused.claim[m]), int(trials.fused.draw[m])
            assert (trials.face.claim[m], trials.face.draw[m]) == (claim, draw)
            assert (trials.signature.claim[m], trials.signature.draw[m]) == (claim, draw)
            face, signature = faces.samples[trials.face.probe[m]], signatures.samples[trials.signature.probe[m]]
            a = face_scores[face_of[claim], draw, face]
            b = signature_scores[signature_of[claim], draw, signature]
            assert trials.face.scores[m] == a
            assert trials.signature.scores[m] == b
            assert trials.fused.scores[m] == a + b
            shown, signed = person_of[face.split("/")[0]], person_of[signature.split("/")[0]]
            if kind is TrialKind.GENUINE:
                assert shown == signed == claim
            elif kind is TrialKind.RANDOM:
                assert shown == signed != claim
            else:
                assert "forged" in signature
                assert signed == claim != shown
            seen[kind][claim, draw, shown] += 1
    people, draws = 4, 3
    assert len(seen[TrialKind.GENUINE]) == people * draws
    assert set(seen[TrialKind.GENUINE].values()) == {SAMPLES["signature"] - 2}
    assert len(seen[TrialKind.RANDOM]) == people * draws * (people - 1)
    assert seen[TrialKind.SKILLED].total() == people * draws * (people - 1) * (SAMPLES["face"] - 1)


def test_every_sample_takes_part_about_equally(faces: ScoreTable, signatures: ScoreTable) -> None:
    trials = pair_trials(faces, signatures, chimeric_pairing(faces, signatures, 0))[TrialKind.GENUINE]
    for side in (trials.face, trials.signature):
        for claim in range(4):
            for draw in range(3):
                uses = np.bincount(side.probe[(side.claim == claim) & (side.draw == draw)])
                assert set(uses[uses > 0]) <= {1, 2}


def test_samples_that_are_references_in_every_draw_are_nobodys_impostor(
    faces: ScoreTable, signatures: ScoreTable
) -> None:
    trials = pair_trials(faces, signatures, chimeric_pairing(faces, signatures, 0))
    for side, scores in ((trials[TrialKind.RANDOM].face, faces), (trials[TrialKind.RANDOM].signature, signatures)):
        assert "/0" not in {scores.samples[probe][2:] for probe in side.probe}


def test_evidence_grows_with_samples_and_not_with_their_products(faces: ScoreTable, signatures: ScoreTable) -> None:
    trials = pair_trials(faces, signatures, chimeric_pairing(faces, signatures, 0))
    random = trials[TrialKind.RANDOM]
    assert random.fused.comparisons == max(random.face.comparisons, random.signature.comparisons)
    assert random.fused.comparisons < len(random)


def test_pairings_differ_by_seed_and_repeat(faces: ScoreTable, signatures: ScoreTable) -> None:
    drawn = [chimeric_pairing(faces, signatures, seed) for seed in range(6)]
    for pairing in drawn:
        assert len(pairing) == len(set(pairing.faces)) == len(set(pairing.signatures)) == 4
    assert len({(tuple(one.faces), tuple(one.signatures)) for one in drawn}) > 3
    again = chimeric_pairing(faces, signatures, 3)
    np.testing.assert_array_equal(again.faces, drawn[3].faces)
    first, second = (pair_trials(faces, signatures, again, 3)[TrialKind.SKILLED].fused.scores for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_failure_of_either_rejects_both(signatures: ScoreTable) -> None:
    broken = table("face", people=4, failing="f1/4")
    for trials in pair_trials(broken, signatures, chimeric_pairing(broken, signatures, 0)).values():
        np.testing.assert_array_equal(np.isneginf(trials.fused.scores), np.isneginf(trials.face.scores))
        assert np.isneginf(trials.fused.scores).any()
        assert not np.isneginf(trials.signature.scores).any()


def test_without_forgeries_there_are_no_skilled_trials(faces: ScoreTable) -> None:
    other = table("face", people=5, seed=4)
    assert set(pair_trials(faces, other, chimeric_pairing(faces, other, 0))) == {TrialKind.GENUINE, TrialKind.RANDOM}


def test_people_of_the_same_name_are_paired_with_themselves() -> None:
    first, second = table("face", people=6), table("face", people=4, seed=1)
    pairing = own_pairing(first, second)
    assert [first.people[i] for i in pairing.faces] == [second.people[i] for i in pairing.signatures]
    assert len(pairing) == 4


def test_fewer_draws_of_one_limit_the_other(faces: ScoreTable) -> None:
    single = table("signature", people=4, draws=1)
    trials = pair_trials(faces, single, chimeric_pairing(faces, single, 0))
    assert all(set(side.fused.draw) == {0} for side in trials.values())


def test_it_takes_two(faces: ScoreTable, signatures: ScoreTable) -> None:
    with pytest.raises(TrialsError, match="0 people have trials of both modalities"):
        own_pairing(faces, signatures)
    alone = table("signature", people=2)
    kept = alone.claim == 0
    alone = ScoreTable(
        alone.people,
        alone.samples,
        alone.kind[kept],
        alone.scores[kept],
        alone.claim[kept],
        alone.draw[kept],
        alone.probe[kept],
        alone.model_digest,
    )
    with pytest.raises(TrialsError, match="1 people"):
        chimeric_pairing(faces, alone, 0)


def test_people_outside_the_pairing_take_no_part(faces: ScoreTable, signatures: ScoreTable) -> None:
    pairing = Pairing(np.array([5, 2]), np.array([0, 3]))
    trials = pair_trials(faces, signatures, pairing)
    for kind, side in trials.items():
        owners = {faces.samples[probe][:2] for probe in side.face.probe}
        assert owners == {"f5", "f2"}, kind
        assert {signatures.samples[probe][:2] for probe in side.signature.probe} == {"s0", "s3"}
