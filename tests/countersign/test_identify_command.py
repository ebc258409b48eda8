"""`countersign identify`: what its tables and exit codes tell of an answer, without a service."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from countersign.commands import client_options
from countersign.commands.identify import identify
from countersign.exit_codes import ExitCode
from encode.errors import GalleryBuilding, IdentifyOff
from verify.v1 import verification_pb2 as pb

app = typer.Typer()
app.command()(identify)


class Answering:
    """A client with one answer, or one error."""

    def __init__(self, answer: pb.IdentifyResponse | Exception) -> None:
        self._answer = answer
        self.asked: dict[str, Any] = {}

    def identify(self, collection: str, samples: object, **options: Any) -> pb.IdentifyResponse:
        self.asked = {"collection": collection, **options}
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: pb.IdentifyResponse | Exception, *options: str
) -> tuple[int, str, Answering]:
    client = Answering(answer)

    @contextmanager
    def called(self: object) -> Iterator[tuple[Answering, str]]:
        yield client, "staff"

    monkeypatch.setattr(client_options.Service, "called", called)
    picture = tmp_path / "gate.png"
    picture.write_bytes(b"a picture")
    result = CliRunner().invoke(app, [str(picture), *options])
    return result.exit_code, re.sub(r"\s+", " ", result.output), client


FOUND = pb.IdentifyResponse(
    outcome=pb.IDENTIFY_OUTCOME_MATCH,
    candidates=[pb.Candidate(person="ada", log_likelihood_ratio=9.5, probability=0.99993)],
    threshold=6.1,
    target_far=0.001,
    comparison_far=1e-5,
    gallery_size=100,
    beyond_evidence=True,
)


def test_who_was_found_and_by_which_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, output, client = told(monkeypatch, tmp_path, FOUND, "--target-far", "0.001", "--max-candidates", "3")
    assert code == ExitCode.OK
    assert "ada" in output
    assert "+9.50" in output
    assert "Searched 100 people at 0.1 % for the whole search" in output
    assert "extrapolated" in output
    assert client.asked == {"collection": "staff", "target_far": 0.001, "max_candidates": 3}


def test_nobody_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody = pb.IdentifyResponse(outcome=pb.IDENTIFY_OUTCOME_NO_MATCH, threshold=6.1, target_far=0.01)
    code, output, _ = told(monkeypatch, tmp_path, nobody)
    assert code == ExitCode.REJECTED
    assert "Nobody of the collection matches." in output


@pytest.mark.parametrize(
    ("error", "code"),
    [(GalleryBuilding("still reading", retry_after=5), ExitCode.SERVICE), (IdentifyOff("it does not"), ExitCode.STATE)],
)
def test_a_service_that_cannot_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, code: ExitCode
) -> None:
    assert told(monkeypatch, tmp_path, error)[0] == code
