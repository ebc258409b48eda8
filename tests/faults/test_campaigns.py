"""The campaigns of `benchmarks/`, a few kills each: what is run there in hundreds works, and finds nothing here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from durability.postgres_cluster import NoPostgres, find_program

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"
NOTHING = ("lost", "back", "corrupt", "answer differs", "unforeseen", "chain")


@pytest.fixture
def needs_postgres() -> None:
    try:
        find_program()
    except NoPostgres:
        pytest.skip("PostgreSQL is not installed")


def counted(script: str, *options: str) -> dict[str, str]:
    """The table that a campaign prints: the name of a row → what it says."""
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *options], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = (re.fullmatch(r"(.{40}) (.*)", line) for line in done.stdout.splitlines())
    table = {row[1].strip(): row[2] for row in rows if row}
    assert [table[kind] for kind in NOTHING] == ["0"] * len(NOTHING)
    return table


@pytest.mark.slow
def test_a_killed_service_on_sqlite() -> None:
    table = counted("crash_campaign.py", "--store", "sqlite", "--kills", "3")
    assert int(table["kills"]) >= 3
    assert int(table["acknowledged Enroll"]) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("needs_postgres")
def test_a_killed_service_on_postgres() -> None:
    table = counted("crash_campaign.py", "--store", "postgres", "--kills", "2", "--only", "server alone")
    assert int(table["server killed"]) >= 2
    assert int(table["acknowledged Enroll"]) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("needs_postgres")
def test_two_services_on_one_postgres() -> None:
    table = counted("replicas.py", "--rounds", "5", "--kills", "1")
    assert table["one request to both, done once"] == "5"
    assert table["the other one went on"] == "1"
