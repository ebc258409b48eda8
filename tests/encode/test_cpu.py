"""Threads follow the cgroup's quota, in either version's files, and never fall below one."""

import os
from pathlib import Path

import pytest

from encode.cpu import cgroup_quota, usable_cpus


@pytest.fixture
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def second_version(root: Path, text: str) -> Path:
    (root / "cpu.max").write_text(text)
    return root


def first_version(root: Path, quota: str, period: str) -> Path:
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (root / "cpu" / "cpu.cfs_period_us").write_text(period)
    return root


@pytest.mark.parametrize(
    ("text", "quota", "cpus"),
    [
        ("max 100000\n", None, 8),
        ("200000 100000\n", 2.0, 2),
        ("150000 100000\n", 1.5, 1),
        ("50000 100000\n", 0.5, 1),
        ("6400000 100000\n", 64.0, 8),
        ("garbage\n", None, 8),
        ("one two\n", None, 8),
        ("100000 0\n", None, 8),
        ("", None, 8),
    ],
)
@pytest.mark.usefixtures("eight_processors")
def test_the_second_version_is_read(tmp_path: Path, text: str, quota: float | None, cpus: int) -> None:
    root = second_version(tmp_path, text)
    assert cgroup_quota(root) == quota
    assert usable_cpus(root) == cpus


@pytest.mark.parametrize(
    ("quota_us", "period_us", "quota", "cpus"),
    [
        ("-1", "100000", None, 8),
        ("300000", "100000", 3.0, 3),
        ("25000", "100000", 0.25, 1),
        ("100000", "0", None, 8),
        ("", "100000", None, 8),
    ],
)
@pytest.mark.usefixtures("eight_processors")
def test_the_first_version_is_read(
    tmp_path: Path, quota_us: str, period_us: str, quota: float | None, cpus: int
) -> None:
    root = first_version(tmp_path, quota_us, period_us)
    assert cgroup_quota(root) == quota
    assert usable_cpus(root) == cpus


@pytest.mark.usefixtures("eight_processors")
def test_the_second_version_goes_first(tmp_path: Path) -> None:
    assert usable_cpus(second_version(first_version(tmp_path, "700000", "100000"), "300000 100000")) == 3


@pytest.mark.usefixtures("eight_processors")
def test_no_cgroup_means_no_limit(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "absent") is None
    assert usable_cpus(tmp_path / "absent") == 8


def test_a_system_without_affinity_counts_its_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(tmp_path) == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cpus(tmp_path) == 6


def test_this_machine_answers() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
