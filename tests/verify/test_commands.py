"""`countersign enroll` and `countersign verify` against a running service: what they print and the exit codes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

import countersign.exit_codes
from countersign.exit_codes import EXIT_CODES, ExitCode, exit_code_of, typed_exit
from encode.errors import CountersignError, ImageCorrupt, PersonUnknown
from verify.status import error_classes

Run = Callable[..., Result]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "notes [draft].png"
    path.write_text("no image")
    return path


def test_the_tour(run: Run, photo: Callable[..., Path], text: Path) -> None:
    enrolled = run("enroll", "ada", photo(1, 0), text, photo(1, 1))
    assert enrolled.exit_code == ExitCode.OK
    assert "2 face references kept." in enrolled.output
    assert "IMAGE_FORMAT_UNSUPPORTED" in enrolled.output
    accepted = run("verify", "ada", photo(1, 5))
    assert accepted.exit_code == ExitCode.OK
    assert "accepted" in accepted.output
    assert "0.1 %" in accepted.output
    assert "too few impostor trials" in accepted.output
    rejected = run("verify", "ada", photo(2), photo(3), text, "--target-far", "0.01")
    assert rejected.exit_code == ExitCode.REJECTED
    assert "rejected" in rejected.output
    assert "notes [draft].png" in rejected.output
    assert "too few impostor trials" not in rejected.output


def test_a_crop_box_picks_the_face(run: Run, photo: Callable[..., Path], tmp_path: Path) -> None:
    with Image.open(photo(1, 5)) as face:
        wide = Image.new("L", (face.width + 40, face.height + 30), 255)
        wide.paste(face, (25, 10))
        box = f"25,10,{25 + face.width},{10 + face.height}"
    wide.save(tmp_path / "wide.png")
    assert run("enroll", "ada", photo(1, 0), photo(1, 1)).exit_code == ExitCode.OK

    def llr(path: Path, *options: str) -> float:
        answer = json.loads(run("verify", "ada", path, "--json", *options).stdout)
        return float(answer["log_likelihood_ratio"])

    assert llr(tmp_path / "wide.png", "--crop", box) == pytest.approx(llr(photo(1, 5)))
    assert llr(tmp_path / "wide.png") != pytest.approx(llr(photo(1, 5)))


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "-1,0,9,9", "0,0,4000,4000"])
def test_a_bad_crop_box_is_named(run: Run, photo: Callable[..., Path], box: str) -> None:
    refused = run("enroll", "ada", photo(1), f"--crop={box}")
    assert refused.exit_code in (ExitCode.INPUT, ExitCode.STATE)
    assert "crop" in refused.output


def test_answers_in_json(run: Run, photo: Callable[..., Path]) -> None:
    answer = json.loads(run("enroll", "ada", photo(1), "--json").output)
    assert answer["outcomes"][0]["accepted"] is True
    assert answer["person"]["collection"] == "default"
    result = run("verify", "ada", photo(2), "--json")
    assert result.exit_code == ExitCode.REJECTED
    answer = json.loads(result.output)
    assert answer["accepted"] is False
    assert answer["log_likelihood_ratio"] < answer["threshold"]


def test_errors_are_one_line_and_an_exit_code(run: Run, photo: Callable[..., Path], text: Path, tmp_path: Path) -> None:
    run("enroll", "ada", photo(1))
    for arguments, code, reason in (
        (("verify", "nobody", photo(1)), ExitCode.STATE, "PERSON_UNKNOWN"),
        (("verify", "ada", text), ExitCode.INPUT, "IMAGE_FORMAT_UNSUPPORTED"),
        (("verify", "ada\n", photo(1)), ExitCode.INPUT, "FIELD_INVALID"),
        (("verify", "ada", photo(1), "--target-far", "0.05"), ExitCode.STATE, "TARGET_FAR_UNAVAILABLE"),
        (("verify", "ada", photo(1), "--address", "127.0.0.1:1"), ExitCode.SERVICE, "SERVICE_UNAVAILABLE"),
        (("verify", "ada", photo(1), "--timeout", "-1"), ExitCode.CONFIG, "CONFIG_INVALID"),
        (("enroll", "bob", text), ExitCode.STATE, "TOO_FEW_REFERENCES"),
        (("enroll", "bob", photo(1), "--request-id", "r" * 129), ExitCode.INPUT, "FIELD_INVALID"),
    ):
        plain = run(*arguments)
        assert (plain.exit_code, plain.stdout) == (code, ""), arguments
        assert re.fullmatch(r"error: [^\n]+\n", plain.stderr)
        told = run(*arguments, "--json")
        assert told.exit_code == code
        assert json.loads(told.stdout)["error"]["reason"] == reason


def test_a_missing_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    for command in ("enroll", "verify"):
        assert run(command, "ada", tmp_path / "missing.png").exit_code == ExitCode.USAGE
        assert run(command, "ada").exit_code == ExitCode.USAGE


def test_a_request_id_makes_enrolment_repeatable(run: Run, photo: Callable[..., Path]) -> None:
    first = run("enroll", "ada", photo(1), "--request-id", "r1", "--json")
    assert run("enroll", "ada", photo(1), "--request-id", "r1", "--json").output == first.output
    assert run("enroll", "ada", photo(2), "--request-id", "r1").exit_code == ExitCode.STATE


def test_every_error_of_the_tree_has_an_exit_code_and_every_code_is_documented() -> None:
    for kind in error_classes():
        expected = ExitCode.INTERNAL if kind is CountersignError else exit_code_of(kind("what happened"))
        assert exit_code_of(kind("what happened")) is expected
        assert (expected is ExitCode.INTERNAL) == (kind is CountersignError)
    documented = {int(number) for number in re.findall(r"^    (\d+) ", countersign.exit_codes.__doc__ or "", re.M)}
    assert documented == set(ExitCode)
    assert set(EXIT_CODES.values()) <= set(ExitCode)


def test_the_nearest_ancestor_decides() -> None:
    assert exit_code_of(ImageCorrupt("x")) is ExitCode.INPUT
    assert exit_code_of(PersonUnknown("x")) is ExitCode.STATE


def test_what_is_no_error_of_ours_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), typed_exit():
        raise ZeroDivisionError
