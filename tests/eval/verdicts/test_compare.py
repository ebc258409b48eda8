"""Models side by side: aligned people, signs, notes, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encode.errors import FieldInvalid, TrialsError
from eval.measures.metrics import auc, equal_error, frr_at, threshold_at_far
from eval.trials import ScoreTable, TrialKind
from eval.verdicts.aligned import align, trials_apart
from eval.verdicts.compare import Comparison, compare
from eval.verdicts.comparison_results import ComparisonResults
from eval.verdicts.gate import judge, read_measured
from eval.verdicts.requirement import parse_requirement

MakeTable = Callable[..., ScoreTable]
PEOPLE = 24


@pytest.fixture
def model(make_table: MakeTable) -> Callable[..., ScoreTable]:
    """``model(seed, gain)``: scores of the same 24 people by a model that sets genuine ones `gain` higher."""

    def make(seed: int, gain: float = 0.0, skilled: bool = True) -> ScoreTable:
        generator, easy = np.random.default_rng(seed), np.random.default_rng(99).normal(0, 1, (PEOPLE, 1))
        scores = {
            "genuine": 2.5 + gain + easy + generator.normal(0, 1, (PEOPLE, 5)),
            "random": generator.normal(0, 1, (PEOPLE, 60)),
        }
        if skilled:
            scores["skilled"] = 1 + generator.normal(0, 1, (PEOPLE, 10))
        return replace(make_table(**scores), model_digest=f"model {seed}")

    return make


def run(**tables: ScoreTable) -> Comparison:
    return compare(tables, fars=(0.01, 0.1), replicates=200, quiet=True)


def test_every_model_has_its_own_rates_of_each_kind(model: Callable[..., ScoreTable]) -> None:
    tables = {"old": model(0), "new": model(1, gain=1.0)}
    results = run(**tables).results
    assert [(one.name, one.model_digest) for one in results.models] == [("old", "model 0"), ("new", "model 1")]
    assert (results.people, results.notes) == (PEOPLE, ())
    for kind, block in ((TrialKind.RANDOM, results.random), (TrialKind.SKILLED, results.skilled)):
        for one, table in zip(block.models, tables.values(), strict=True):
            genuine, impostor = table.of(TrialKind.GENUINE).scores, table.of(kind).scores
            assert one.rates.eer.value == equal_error(genuine, impostor).rate
            assert one.rates.auc.value == auc(genuine, impostor)
            assert [point.far for point in one.rates.frr_at_far] == [0.1, 0.01]
            for point in one.rates.frr_at_far:
                assert point.frr.value == frr_at(genuine, threshold_at_far(impostor, point.far))
        [first, second] = [one.rates for one in block.models]
        assert block.eer[0].value == second.eer.value - first.eer.value
        assert block.auc[0].value == second.auc.value - first.auc.value
        for index, row in enumerate(block.frr_at_far):
            [difference] = row.differences
            assert difference.value == second.frr_at_far[index].frr.value - first.frr_at_far[index].frr.value
            assert difference.low <= difference.value <= difference.high
            assert difference.name == "new"


def test_a_better_model_is_told_from_chance(model: Callable[..., ScoreTable]) -> None:
    better = run(old=model(0), new=model(1, gain=1.5)).results.random
    assert better.eer[0].high < 0 < better.auc[0].low
    assert max(better.eer[0].p, better.auc[0].p) < 0.05
    alike = run(old=model(0), new=model(1)).results.random
    assert alike.eer[0].low < 0 < alike.eer[0].high


def test_a_model_does_not_differ_from_itself(model: Callable[..., ScoreTable]) -> None:
    for block in (results := run(one=model(0), again=model(0)).results).random, results.skilled:
        for difference in (*block.eer, *block.auc, *(row.differences[0] for row in block.frr_at_far)):
            assert (difference.value, difference.p, difference.p_holm) == (0, 1, 1)
            assert difference.low < 0 < difference.high


def test_the_order_of_two_models_turns_signs_alone(model: Callable[..., ScoreTable]) -> None:
    first, second = model(0), model(1, gain=0.5)
    there, back = run(a=first, b=second).results, run(b=second, a=first).results
    for one, other in ((there.random, back.random), (there.skilled, back.skilled)):
        pairs = [(one.eer[0], other.eer[0]), (one.auc[0], other.auc[0])]
        pairs += [
            (row.differences[0], turned.differences[0])
            for row, turned in zip(one.frr_at_far, other.frr_at_far, strict=True)
        ]
        for difference, turned in pairs:
            assert (turned.value, turned.low, turned.high) == (-difference.value, -difference.high, -difference.low)
            assert (turned.p, turned.p_holm) == (difference.p, difference.p_holm)


def test_several_models_are_held_against_the_first_with_adjusted_p_values(model: Callable[..., ScoreTable]) -> None:
    results = run(old=model(0), a=model(1, gain=0.8), b=model(2), c=model(3, gain=1.5)).results
    alone = run(old=model(0), c=model(3, gain=1.5)).results
    eer = results.random.eer
    assert [one.name for one in eer] == ["a", "b", "c"]
    assert eer[2].p == alone.random.eer[0].p == alone.random.eer[0].p_holm
    assert eer[2].p_holm == pytest.approx(min(1.0, 3 * eer[2].p))
    assert all(one.p_holm >= one.p for one in eer)


def shuffled(table: ScoreTable, seed: int) -> ScoreTable:
    """The same trials with people, samples and rows in another order."""
    generator = np.random.default_rng(seed)
    rows, people, samples = (generator.permutation(len(x)) for x in (table.scores, table.people, table.samples))
    return replace(
        table,
        people=tuple(table.people[index] for index in people),
        samples=tuple(table.samples[index] for index in samples),
        kind=table.kind[rows],
        scores=table.scores[rows],
        claim=np.argsort(people)[table.claim[rows]].astype(np.int32),
        draw=table.draw[rows],
        probe=np.argsort(samples)[table.probe[rows]].astype(np.int32),
    )


def test_people_are_paired_by_name_whatever_the_order_in_the_file(model: Callable[..., ScoreTable]) -> None:
    plain = run(old=model(0), new=model(1, gain=0.5)).results
    mixed = run(old=model(0), new=shuffled(model(1, gain=0.5), 3)).results
    for one, other in ((plain.random, mixed.random), (plain.skilled, mixed.skilled)):
        for ours, theirs in zip(one.eer + one.auc, other.eer + other.auc, strict=True):
            assert ours.model_dump() == pytest.approx(theirs.model_dump(), abs=1e-12)
    assert mixed.notes == ()


def test_sources_keep_their_people(model: Callable[..., ScoreTable]) -> None:
    table = model(0, skilled=False)
    source = np.where(table.kind == 0, table.claim, (table.claim + 1) % PEOPLE).astype(np.int32)
    source[-1] = -1
    table = replace(table, source=source)
    [_, other] = align({"a": table, "b": shuffled(replace(table, source=None), 1)}).values()
    assert other.source is None
    [ours, _] = align({"a": table, "b": table}).values()
    assert [ours.people[one] if one >= 0 else None for one in ours.source] == [
        table.people[one] if one >= 0 else None for one in source
    ]


def test_models_are_resampled_in_the_same_roles(model: Callable[..., ScoreTable]) -> None:
    table = model(0, skilled=False)
    known = replace(table, source=np.where(table.kind == 0, table.claim, (table.claim + 1) % PEOPLE).astype(np.int32))
    mixed, plain = run(old=known, new=model(1, skilled=False)), run(old=table, new=model(1, skilled=False))
    assert mixed.results.random == plain.results.random
    assert run(old=known, new=known).results.random.interval.endswith("both roles")


def test_a_kind_that_does_not_claim_the_same_people_is_left_out_and_noted(model: Callable[..., ScoreTable]) -> None:
    def without(person: int, table: ScoreTable) -> ScoreTable:
        kept = (table.claim != person) | (table.kind == 1)  # all of that person but the zero-effort trials
        columns = ("kind", "scores", "claim", "draw", "probe")
        return replace(table, **{name: getattr(table, name)[kept] for name in columns})

    results = run(old=without(0, model(0)), new=without(5, model(1))).results
    assert results.skilled is None
    assert results.random is not None
    assert "Not every model has genuine or skilled trials of the same people: not compared." in results.notes
    assert run(old=without(0, model(0)), new=without(0, model(1))).results.skilled is not None


def test_other_people_cannot_be_compared(model: Callable[..., ScoreTable]) -> None:
    table = model(0)
    renamed = replace(model(1), people=("someone", "else", *table.people[2:]))
    with pytest.raises(TrialsError, match="4 claimed people differ: 2 are only in old, 2 only in new") as caught:
        run(old=table, new=renamed)
    assert "same corpus" in (caught.value.fix or "")
    unknown = np.full(len(table), -1, np.int32)
    anonymous = replace(table, claim=unknown, probe=unknown)
    with pytest.raises(TrialsError, match="scores of new do not tell who was claimed"):
        run(old=table, new=anonymous)


def test_other_trials_of_the_same_people_are_compared_and_noted(model: Callable[..., ScoreTable]) -> None:
    table = model(0)
    redrawn = replace(model(1), draw=np.where(table.claim == 0, 1, 0).astype(np.int32))
    apart = int((table.claim == 0).sum())
    assert trials_apart(*align({"a": table, "b": redrawn}).values()) == 2 * apart
    [note] = run(old=table, new=redrawn).results.notes
    assert note.startswith(f"{2 * apart} trials are only in one of old and new")


def test_a_kind_that_one_model_lacks_is_left_out_and_noted(
    model: Callable[..., ScoreTable], make_table: MakeTable
) -> None:
    results = run(old=model(0), new=model(1, skilled=False)).results
    assert results.skilled is None
    assert any("Only old has skilled impostor trials" in note for note in results.notes)
    forged = make_table(genuine=np.ones((PEOPLE, 2)), skilled=np.zeros((PEOPLE, 2)))
    with pytest.raises(TrialsError, match="no kind of impostor that every model"):
        run(old=forged, new=model(1, skilled=False))


@pytest.mark.parametrize(
    ("count", "fars", "match"),
    [(1, (0.01,), "two models or more"), (2, (0.0,), "between 0 and 1"), (2, (1.0,), "between 0 and 1")],
)
def test_nothing_to_compare_is_refused(
    model: Callable[..., ScoreTable], count: int, fars: tuple[float, ...], match: str
) -> None:
    with pytest.raises(FieldInvalid, match=match):
        compare({str(index): model(index) for index in range(count)}, fars=fars, replicates=50, quiet=True)


def test_the_file_is_read_back_and_a_gate_can_ask_it(model: Callable[..., ScoreTable], tmp_path: Path) -> None:
    comparison = run(old=model(0), new=model(1, gain=1.5))
    path, page = comparison.write(tmp_path / "deep")
    assert "DET curves" in page.read_text()
    assert ComparisonResults.model_validate_json(path.read_bytes()) == comparison.results
    document = read_measured(path)
    worse = comparison.results.random.eer[0]
    better = judge(document, parse_requirement("random.eer[new].high < 0%"))
    assert (better.met, better.value) == (True, worse.high)
    assert judge(document, parse_requirement("random.frr_at_far[10%].differences[new].p_holm < 0.05")).met
    told = judge(document, parse_requirement("random.eer[new] <= 0")).sentence
    assert told.startswith("PASS random.eer[new]: -")
    assert " to -" in told
    assert judge(document, parse_requirement("random.models[new].rates.eer <= 50%")).met
