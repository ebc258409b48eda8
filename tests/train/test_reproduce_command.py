"""`countersign reproduce bromley1993` prints the paper's point beside every system, and writes all of it down."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from countersign.commands.reproduce import app
from eval.corpora.corpus import Corpus


def test_the_papers_point_is_printed_beside_every_system(
    make_signers: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = make_signers("town", [f"w{number:02}" for number in range(16)], genuine=6, forgeries=3)
    monkeypatch.setattr("eval.corpora.spec.open_corpus", lambda spec: {"svc2004:here": town}[spec])
    words = ["bromley1993", "--corpus", "svc2004:here", "--out", str(tmp_path), "--steps", "2", "--threads", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "town (16 people, 48 genuine signatures, 48 forgeries)" in result.stdout
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["system"] for row in found] == [
        "features as they are, 1,600 values",
        "1993 network, 304 values",
        "1993 network averaged, 76 values",
    ]
    printed = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert "80.0%" in printed["paper (its own signatures)"]
    assert "95.5%" in printed["paper (its own signatures)"]
    for row in found:
        rates = (row["caught"], row["accepted"], row["rates"]["eer"])
        assert [f"{rate['value']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}]" for rate in rates] == [
            cell.strip() for cell in printed[row["system"]].split("│")[2:5]
        ]
