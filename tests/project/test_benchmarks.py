"""Benchmarks report what they measure in one form, and one table is made of it, whatever some of them come to."""

import argparse
import ast
import json
from pathlib import Path

import pytest

import report
import run_all
from machine import machine_facts
from report import Row, Rows, quartiles, read_rows

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "benchmarks").glob("bench_*.py"))

FACTS = {
    "measured": "2025-03-01T00:00:00+00:00",
    "processor": "one",
    "processors": 2,
    "memory_gib": 4.0,
    "system": "Linux",
    "revision": "0123456789ab",
    "software": {"python": "3.11.0"},
}


def calls(path: Path) -> set[str]:
    """What the script calls, as it is written: ``report.parser``, ``rows.add``."""
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_takes_the_common_options_and_reports_rows(script: Path) -> None:
    assert {"report.parser", "report.Rows", "rows.add"} <= calls(script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_is_listed(script: Path) -> None:
    assert f"`{script.name}`" in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


def rows_of(file: Path | None) -> Rows:
    return Rows(argparse.Namespace(rows=file))


def add(rows: Rows, name: str = "Verify", ours: float = 8.0, baseline: float = 10.0, **more: float) -> Row:
    return rows.add(name, ours=ours, baseline=baseline, against="a bare server", unit="ms", n=5, **more)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    rows = rows_of(file)
    written = [add(rows, "first", low=0.7, high=0.9), add(rows, "second", at_most=1.0)]
    assert read_rows(file) == written
    assert [row.ratio for row in written] == [0.8, 0.8]


def test_alone_a_script_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add(rows_of(None))
    assert list(tmp_path.iterdir()) == []
    assert read_rows(tmp_path / "rows") == []


def test_the_command_is_told_without_where_the_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/elsewhere/bench_verify.py", "--quick", "--rows", "/tmp/rows", "--clients", "1"])  # noqa: S108
    assert add(rows_of(None)).command == "python benchmarks/bench_verify.py --quick --clients 1"
    monkeypatch.setattr("sys.argv", ["bench_verify.py", "--rows=/tmp/rows"])
    assert add(rows_of(None)).command == "python benchmarks/bench_verify.py"


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ({}, None),
        ({"at_least": 0.8}, True),
        ({"at_least": 0.85}, False),
        ({"at_most": 0.8}, True),
        ({"at_most": 0.75}, False),
        ({"at_least": 0.7, "at_most": 0.75}, False),
    ],
)
def test_a_claim_is_about_the_ratio_and_its_bound_belongs_to_it(claim: dict[str, float], holds: bool | None) -> None:
    assert add(rows_of(None), **claim).holds is holds


@pytest.mark.parametrize(("ours", "baseline"), [(1.0, 0.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_what_is_no_comparison_is_refused(ours: float, baseline: float) -> None:
    with pytest.raises(ValueError, match="no comparison"):
        add(rows_of(None), ours=ours, baseline=baseline)


def test_quartiles_of_ratios() -> None:
    assert quartiles([4.0, 1.0, 3.0, 2.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([1.5]) == (1.5, 1.5, 1.5)


def test_options_are_added_to_those_of_the_script() -> None:
    parser = report.parser("What it measures.")
    parser.add_argument("--clients", type=int, default=1)
    options = parser.parse_args(["--quick", "--clients", "3"])
    assert (options.quick, options.rows, options.clients) == (True, None, 3)


GOOD = """
import report
rows = report.Rows(report.parser(None).parse_args())
rows.add("Verify", ours=1, baseline=2, against="bare | server", unit="ms", n=7, at_most=0.4)
"""
BAD = GOOD + "raise SystemExit(3)\n"


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of benchmarks in place of ours; whoever runs one finds `report`."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name, source in (("bench_good", GOOD), ("bench_silent", "\n"), ("bench_sick", BAD)):
        (folder / f"{name}.py").write_text(source)
    monkeypatch.setattr(run_all, "HERE", folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "benchmarks"))
    monkeypatch.setattr(run_all, "machine_facts", lambda: FACTS)
    return folder


def test_one_table_is_made_of_all(benchmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["run_all.py", "--quick", "--out", str(out)])
    assert run_all.main() == 1, "one script failed"
    told = json.loads((out / "benchmarks.json").read_text())
    assert told["machine"] == FACTS
    assert {run["script"]: run["failure"] for run in told["runs"]} == {
        "bench_good": None,
        "bench_sick": "exit code 3",
        "bench_silent": None,
    }
    [row] = told["runs"][0]["rows"]
    assert (row["ratio"], row["holds"], row["n"]) == (0.5, False, 7)
    table = (out / "benchmarks.md").read_text()
    lines = [line for line in table.splitlines() if line.startswith("| Verify |")]
    assert len(lines) == 2, "what failed had measured something before"
    assert r"bare \| server" in lines[0]
    assert "| **0.5** | ≤ 0.4 | no | 7 |" in lines[0]
    assert "`python benchmarks/bench_good.py --quick`" in lines[0]
    assert "Failed: bench_sick (exit code 3)." in table
    assert "Without rows: bench_silent." in table


def test_those_named_alone_are_run(benchmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run_all.py", "--only", "bench_good", "--out", str(tmp_path)])
    assert run_all.main() == 0
    assert [run["script"] for run in json.loads((tmp_path / "benchmarks.json").read_text())["runs"]] == ["bench_good"]
    monkeypatch.setattr("sys.argv", ["run_all.py", "--only", "bench_nothing", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="no bench_nothing"):
        run_all.main()


def test_the_machine_is_told_by_its_kind_and_not_by_its_name() -> None:
    import platform

    facts = machine_facts()
    assert set(facts) == set(FACTS)
    assert facts["processors"] >= 1
    assert platform.node() not in json.dumps(facts) or len(platform.node()) < 4
