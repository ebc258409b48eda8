"""Progress goes to standard error, and is one plain line where nobody watches."""

import pytest

from eval.progress import track


def test_away_from_a_terminal_it_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), total=3, label="Scoring")) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Scoring: 3 in ")
    assert err.endswith("/s)\n")
    assert err.count("\n") == 1


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), total=3, label="Scoring", quiet=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(track(range(3), total=3, label="Scoring")) == [0, 1, 2]
    assert "3/3" in capsys.readouterr().err
