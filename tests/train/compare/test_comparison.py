"""A matrix of runs: everything is measured, nothing is done twice, and one failure is not everybody's."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encode.errors import CorpusMissing, CorpusOverlap, TrainingError
from eval.trials import TrialKind
from train.compare.comparison import _outcome
from train.compare.matrix import Matrix, read_matrix, samples_seen
from train.compare.people import Setting
from train.compare.results import MatrixResults, RunResult
from train.compare.run import BACKGROUND_PAIRS, POLICY_PAIRS
from train.compare.run_folder import RunFolder
from train.recipe import Recipe

MakeRecipe = Callable[..., Recipe]
Compare = Callable[..., Any]


def run_result(out: Path, name: str) -> RunResult:
    return RunResult.model_validate_json((out / "runs" / name / "result.json").read_bytes())


def numbers(value: Any, name: str = "") -> dict[str, float]:
    """Every number within, by where it stands."""
    if isinstance(value, dict):
        return {key: number for part in value for key, number in numbers(value[part], f"{name}.{part}").items()}
    if isinstance(value, list | tuple):
        return {key: number for n, part in enumerate(value) for key, number in numbers(part, f"{name}.{n}").items()}
    return {name: float(value)} if isinstance(value, int | float) else {}


def spaces(results: dict[str, Any]) -> list[Any]:
    """Take the embedding space of every run out of the results."""
    return [one.pop("space", None) for recipe in results["recipes"] for one in recipe["runs"]]


def without_clock(results: MatrixResults) -> dict[str, Any]:
    found = json.loads(results.to_json())
    del found["created"]
    for recipe in found["recipes"]:
        for one in recipe["runs"]:
            del one["cpu_seconds"]
    return dict(found)


def test_every_recipe_is_measured_on_people_nobody_trained_on(ran: Any) -> None:
    results = ran.comparison.results
    assert [measure.name for measure in results.measures] == [POLICY_PAIRS, BACKGROUND_PAIRS]
    for measure in results.measures:
        assert set(measure.blocks) == {TrialKind.RANDOM}
        assert {row.recipe for row in measure.random} == {"supcon", "pairs"}
        for row in measure.random:
            assert len(row.eer.by_seed) == 2
            assert row.eer.mean.value == pytest.approx(np.mean(row.eer.by_seed))
            assert row.eer.spread == pytest.approx(np.std(row.eer.by_seed, ddof=1))
            assert (row.eer.difference is None) is (row.recipe == results.reference == "supcon")
    assert results.equal_budget
    assert results.failures == ()


def test_a_difference_is_that_of_the_means(ran: Any) -> None:
    for measure in ran.comparison.results.measures:
        by_label = {row.recipe: row for row in measure.random}
        found = by_label["pairs"].eer.difference
        assert found.value == pytest.approx(by_label["pairs"].eer.mean.value - by_label["supcon"].eer.mean.value)
        assert found.low <= found.value <= found.high


def test_a_run_says_what_it_consumed(ran: Any) -> None:
    found = run_result(ran.out, "pairs-1")
    assert (found.seed, found.steps, found.samples, found.parameters) == (1, 4, 4 * 4 * 3, 4300)
    assert found.cpu_seconds > 0
    assert found.space.dimensions == len(found.space.singular_values) == 16


def test_the_files_hold_what_was_found(ran: Any) -> None:
    assert {path.name for path in ran.comparison.paths} == {
        *("table.md", "results.json", "report.html"),
        *("curves.svg", "curves.png", "spectra.svg", "spectra.png"),
    }
    assert all(path.stat().st_size > 0 for path in ran.comparison.paths)
    read = MatrixResults.model_validate_json((ran.out / "results.json").read_bytes())
    assert read == ran.comparison.results
    table = (ran.out / "table.md").read_text()
    assert "every run saw as many samples" in table
    assert table.count("\n| pairs | 2 |") == 2
    page = (ran.out / "report.html").read_text()
    assert page.count("<svg") == 2
    assert all(page.count(f">{label}, seed {seed}</td>") == 1 for label in ("supcon", "pairs") for seed in (0, 1))
    assert "src=" not in page


def test_a_finished_matrix_is_only_read(ran: Any, compare: Compare, pair: dict[str, Recipe], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(ran.out, out)
    again = compare(pair, ran.setting, out, seeds=2, jobs=2, command="countersign train compare")
    assert again.trained == set()
    assert without_clock(again.comparison.results) == without_clock(ran.comparison.results)


def test_what_is_missing_or_changed_is_run_again(
    ran: Any, compare: Compare, pair: dict[str, Recipe], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(ran.out, out)
    before = run_result(out, "supcon-0")
    (out / "runs" / "supcon-0" / "result.json").unlink()
    changed = pair | {"pairs": make_recipe(5, losses=[{"kind": "hadsell2006", "margin": 1.1}])}
    again = compare(changed, ran.setting, out, seeds=2)
    # The checkpoint of the first is whole, so that it is measured again without a step.
    assert again.trained == {"pairs-0", "pairs-1"}
    after = run_result(out, "supcon-0")
    assert after.model_copy(update={"cpu_seconds": 0.0}) == before.model_copy(update={"cpu_seconds": 0.0})
    assert run_result(out, "pairs-0").steps == 5
    assert not again.comparison.results.equal_budget
    assert "did NOT see as many samples" in (out / "table.md").read_text()


def test_other_measures_train_nothing_anew(
    ran: Any, setting: Setting, compare: Compare, pair: dict[str, Recipe], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(ran.out, out)
    again = compare({"pairs": pair["pairs"]}, setting, out)
    assert again.trained == set()
    *_, by_protocol = again.comparison.results.measures
    assert by_protocol.name == "guests, 3 references × 2 draws"
    (row,) = by_protocol.random
    assert (row.recipe, row.people, row.genuine, row.impostor) == ("pairs", 4, 4 * 2 * 2, 4 * 2 * 15)
    assert (out / "runs" / "pairs-0" / "bundle" / "MODEL_CARD.md").is_file()


def test_several_processes_find_the_same(ran: Any, compare: Compare, pair: dict[str, Recipe], tmp_path: Path) -> None:
    again = compare(
        pair, ran.setting, tmp_path / "out", seeds=2, jobs=2, threads=1, command="countersign train compare"
    )
    found, before = without_clock(again.comparison.results), without_clock(ran.comparison.results)
    # Singular values to rounding: a new process may sum in another order than one in which other code has run before.
    one, other = numbers(spaces(found)), numbers(spaces(before))
    assert list(one) == list(other)
    assert list(one.values()) == pytest.approx(list(other.values()), rel=1e-2, abs=1e-3)
    assert found == before


def test_a_run_that_fails_leaves_the_others_alone(
    ran: Any, compare: Compare, pair: dict[str, Recipe], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    bad = make_recipe(4, network_options={"frob": 1})
    found = compare({"bad": bad, **pair}, ran.setting, tmp_path / "out", against="pairs")
    (failure,) = found.comparison.results.failures
    assert failure.startswith("bad-0 failed: network_options: ")
    assert {row.recipe for row in found.comparison.results.measures[0].random} == set(pair)
    assert failure in (tmp_path / "out" / "table.md").read_text()


def test_a_run_whose_loss_is_not_finite_has_collapsed(
    ran: Any, compare: Compare, pair: dict[str, Recipe], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    wild = make_recipe(30, losses=[{"kind": "hadsell2006"}], optimisation={"rate": 1e30, "clip": 1e30})
    recipes = {"wild": wild, "supcon": pair["supcon"]}
    found = compare(recipes, ran.setting, tmp_path / "out", against="supcon")
    result = run_result(tmp_path / "out", "wild-0")
    assert "not finite" in str(result.collapsed)
    assert found.comparison.results.failures == ()
    assert found.comparison.results.notes == (f"wild-0 has collapsed: {result.collapsed}",)
    assert "| wild |" in (tmp_path / "out" / "table.md").read_text()


def test_people_of_the_test_may_not_be_among_those_learned_from(
    ran: Any, compare: Compare, pair: dict[str, Recipe], tmp_path: Path
) -> None:
    seen = dataclasses.replace(ran.setting, tests=ran.setting.corpora[:1])
    with pytest.raises(CorpusOverlap, match="17 people of crowd"):
        compare(pair, seen, tmp_path / "out")


def test_a_folder_of_something_else_is_not_cleared(
    ran: Any, compare: Compare, pair: dict[str, Recipe], tmp_path: Path
) -> None:
    foreign = tmp_path / "out" / "runs" / "supcon-0"
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("years of work")
    found = compare(pair, ran.setting, tmp_path / "out")
    assert len(found.comparison.results.failures) == 1
    assert (foreign / "thesis.txt").read_text() == "years of work"


def test_a_result_cut_short_is_no_result(ran: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ran.out / "runs" / "supcon-0", folder)
    known = run_result(ran.out, "supcon-0")
    digests = known.training_digest, known.measures_digest
    assert RunFolder(folder).result(*digests) == known
    assert RunFolder(folder).result("0" * 64, known.measures_digest) is None
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text[: len(text) // 2])
    assert RunFolder(folder).result(*digests) is None


def test_a_result_does_not_stand_beside_replicates_of_others(
    ran: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ran.out / "runs" / "supcon-0", folder)
    known = run_result(ran.out, "supcon-0")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", killed)
    with pytest.raises(KeyboardInterrupt):
        RunFolder(folder).finish(known.model_copy(update={"measures_digest": "0" * 64}), [])
    assert RunFolder(folder).result(known.training_digest, known.measures_digest) is None


@pytest.mark.parametrize("left", ["plan.tmp", "plan.json", None])
def test_a_folder_that_was_being_made_or_cleared_is_still_ours(left: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    if left is not None:
        (folder / left).write_text("{")
    if left == "plan.json":
        (folder / "checkpoint.pt").write_text("of another plan")
        (folder / "bundle").mkdir()
    RunFolder(folder).begin("1" * 64)
    assert json.loads((folder / "plan.json").read_text()) == {"training_digest": "1" * 64}
    assert {path.name for path in folder.iterdir()} <= {"plan.json", "plan.tmp"}


def test_a_process_that_is_ended_is_a_run_that_failed() -> None:
    def ended() -> RunResult:
        raise BrokenProcessPool("a child process terminated abruptly")

    assert isinstance(_outcome(ended), TrainingError)


def test_a_teacher_is_asked_for_before_anything_is_trained(
    ran: Any, compare: Compare, pair: dict[str, Recipe], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    taught = pair | {"taught": make_recipe(4, teacher={"description": "an encoder of the tests"})}
    with pytest.raises(TrainingError, match="needs the file of its embeddings"):
        compare(taught, ran.setting, tmp_path / "out")
    with pytest.raises(TrainingError, match="any other takes none"):
        compare(pair, dataclasses.replace(ran.setting, teacher=tmp_path / "t.npy"), tmp_path / "out")
    with pytest.raises(CorpusMissing, match="there is no file"):
        compare(taught, dataclasses.replace(ran.setting, teacher=tmp_path / "t.npy"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_reference_is_refused(ran: Any, compare: Compare, pair: dict[str, Recipe], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="'other' is none of the recipes"):
        compare(pair, ran.setting, tmp_path / "out", against="other")


def test_seeds_of_members_do_not_meet(make_recipe: MakeRecipe) -> None:
    recipe = dataclasses.replace(make_recipe(4, seed=3), members=2)
    assert [run.recipe.seed for run in Matrix({"a": recipe}, 3).runs] == [3, 5, 7]
    assert [run.name for run in Matrix({"a": recipe, "b": recipe}, 2).runs] == ["a-3", "b-3", "a-5", "b-5"]


@pytest.mark.parametrize(
    ("second", "names", "message"),
    [
        ("", ["a.toml"], "two recipes or more"),
        ("", ["a.toml", "b/a.toml"], "two recipes are called 'a'"),
        ("[hold_out]\ncrowd = 0.5\n", ["a.toml", "b/a2.toml"], "differ in hold_out"),
        ("[split]\npolicy = 2\n", ["a.toml", "b/a2.toml"], "differ in split"),
    ],
)
def test_recipes_that_cannot_be_compared_are_refused(
    second: str, names: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.toml").write_text('extends = "face"\n')
    for name in ("a.toml", "a2.toml"):
        (tmp_path / "b" / name).write_text('extends = "../a.toml"\n' + second)
    with pytest.raises(TrainingError, match=message):
        read_matrix([str(tmp_path / name) for name in names], 1)


def test_samples_seen_are_those_of_the_batches(make_recipe: MakeRecipe, make_pen_recipe: MakeRecipe) -> None:
    assert samples_seen(make_recipe(1), 10) == 120
    assert samples_seen(make_recipe(1, batch={"pairs": 7}, losses=[{"kind": "chopra2005"}]), 10) == 140
    assert samples_seen(make_recipe(1, batch={"people": 4, "samples": 2, "singles": 3}), 1) == 14
    assert samples_seen(make_recipe(1, pretrain={"steps": 3, "samples": 5}), 10) == 120 + 30
    assert samples_seen(make_pen_recipe(1), 2) == 2 * 3 * 7
