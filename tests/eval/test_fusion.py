"""What fusion gains, on scores whose separation is known."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from encode.errors import ConfigError, TrialsError
from eval.fusion import FARS, SYSTEMS, fuse, write_fusion
from eval.trials import ScoreTable


def table(separation: float, *, prefix: str, seed: int, forgeries: float | None = None) -> ScoreTable:
    """30 people, one draw, 10 genuine probes each. Scores are exact LLRs of unit normals `separation` apart."""
    generator = np.random.default_rng(seed)
    people = tuple(f"person{number}" for number in range(30))
    rows = []
    for claim, owner, number in product(range(30), range(30), range(10)):
        rows.append((0 if claim == owner else 1, claim, 10 * owner + number))
    if forgeries is not None:
        rows += [(2, claim, 300 + 10 * claim + number) for claim, number in product(range(30), range(10))]
    kind, claim, probe = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    centre = np.choose(kind, [separation, 0.0, forgeries or 0.0])
    observed = generator.normal(centre, 1.0)
    scores = separation * observed - separation**2 / 2
    samples = tuple(f"{prefix}{number}" for number in range(600))
    digest = ("a" if prefix == "f" else "b") * 64
    return ScoreTable(people, samples, kind.astype(np.int8), scores, claim, np.zeros_like(claim), probe, digest)


FACES = table(3.0, prefix="f", seed=1)
SIGNATURES = table(2.5, prefix="s", seed=2, forgeries=1.0)


def test_rates_are_those_of_the_sum_of_independent_ratios() -> None:
    """For normals d apart EER = Φ(−d/2), FRR at FAR a = Φ(z(1−a) − d); fused, d² adds up."""
    results = fuse(FACES, SIGNATURES, names=("faces", "signers"), seeds=range(3), replicates=200)
    both = np.hypot(3.0, 2.5)
    for system, d in zip(SYSTEMS, (3.0, 2.5, both), strict=True):
        block = getattr(results.random, system)
        assert block.eer.value == pytest.approx(norm.cdf(-d / 2), abs=0.015)
        strict = block.frr_at_far[FARS.index(0.01)].frr
        assert strict.value == pytest.approx(norm.cdf(norm.ppf(0.99) - d), abs=0.07)
        assert strict.low <= strict.value <= strict.high
    assert results.skilled is not None
    assert results.skilled.signature.eer.value == pytest.approx(norm.cdf(-(2.5 - 1.0) / 2), abs=0.03)
    assert results.skilled.fused.eer.value < results.skilled.face.eer.value < results.skilled.signature.eer.value
    assert results.skilled.fused.eer.value > results.random.fused.eer.value


def test_the_summary_is_the_mean_and_the_outermost_ends() -> None:
    results = fuse(FACES, SIGNATURES, names=("faces", "signers"), seeds=[4, 9], replicates=100)
    assert [pairing.seed for pairing in results.pairings] == [4, 9]
    alone = [pairing.random.fused.eer for pairing in results.pairings]
    assert alone[0] != alone[1]
    assert results.random.fused.eer.value == pytest.approx(np.mean([rate.value for rate in alone]))
    assert results.random.fused.eer.low == min(rate.low for rate in alone)
    assert results.random.fused.eer.high == max(rate.high for rate in alone)


def test_people_of_the_same_name_are_no_chimeras() -> None:
    results = fuse(FACES, SIGNATURES, names=("faces", "signers"), seeds=None, replicates=100)
    assert not results.chimeric
    assert len(results.pairings) == 1
    assert results.pairings[0].seed is None
    assert results.pairings[0].people == 30
    assert fuse(FACES, SIGNATURES, names=("f", "s"), seeds=None, chimeric=True, replicates=100).chimeric


def test_evidence_is_counted_in_comparisons() -> None:
    """8,700 impostor comparisons show 1 % but not 0.1 %."""
    results = fuse(FACES, SIGNATURES, names=("faces", "signers"), seeds=[0], replicates=100)
    for system in SYSTEMS:
        assert [row.beyond_evidence for row in getattr(results.random, system).frr_at_far] == [False, True]
    counts = results.pairings[0].random.fused.trials
    assert (counts.genuine, counts.impostor, counts.people) == (300, 8700, 30)


def test_without_forgeries_there_is_no_skilled_block(tmp_path: Path) -> None:
    plain = table(2.5, prefix="s", seed=2)
    results = fuse(FACES, plain, names=("faces", "signers"), seeds=[0], replicates=100, command="words")
    assert results.skilled is None
    path = write_fusion(results, tmp_path / "new" / "fusion.json")
    written = json.loads(path.read_text())
    assert "skilled" not in written
    assert written["chimeric"] is True
    assert written["face_model"] == "a" * 64
    assert written["command"] == "words"
    assert set(written["random"]) == set(SYSTEMS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    results = fuse(FACES, SIGNATURES, names=("faces", "signers"), seeds=[0], replicates=50)
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        write_fusion(results, tmp_path / "file" / "fusion.json")
    assert caught.value.field == "out"


@pytest.mark.parametrize(("kind", "message"), [(0, "0 people have trials of both"), (1, "no random trials of both")])
def test_trials_that_are_not_there_are_named(kind: int, message: str) -> None:
    kept = FACES.kind != kind
    columns = {column: getattr(FACES, column)[kept] for column in ("kind", "scores", "claim", "draw", "probe")}
    with pytest.raises(TrialsError, match=message):
        fuse(replace(FACES, **columns), SIGNATURES, names=("faces", "signers"), seeds=[0], replicates=10)
