"""`countersign enroll` and `countersign verify` with stroke files, alone and beside images."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from countersign.commands.client_options import MODALITY_NAMES, StrokeFormat
from countersign.commands.sample_files import read_sample_files
from countersign.commands.serve import serve
from countersign.commands.verify import STATUS_WORDS
from countersign.exit_codes import ExitCode
from encode.errors import CropInvalid, SampleError
from encode.sample import IMAGE_SUFFIXES, ImageSample, Modality, StrokesSample
from encode.stroke_files import FORMATS, SUFFIXES
from verify.model import Model
from verify.settings import ServiceSettings
from verify.v1 import sample_pb2, verification_pb2

Signature = Callable[..., StrokesSample]
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def models(both: Mapping[Modality, Model]) -> Mapping[Modality, Model]:
    """`run` asks a service that reads faces and signatures."""
    return both


@pytest.fixture
def pen(signature: Signature, tmp_path: Path) -> Callable[..., Path]:
    """``pen(person, shot, suffix)``: a signature as a CSV file."""

    def write(person: int, shot: int = 0, suffix: str = ".csv") -> Path:
        strokes = signature(person, shot)
        columns = (strokes.x, strokes.y, strokes.t, strokes.pressure, map(int, strokes.pen_down))
        lines = ["x,y,t,p,pen", *(",".join(map(str, point)) for point in zip(*columns, strict=True))]
        path = tmp_path / f"{person}-{shot}{suffix}"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    path = tmp_path / "covered.png"
    path.write_bytes(b"no image")
    return path


def test_faces_and_signatures_in_one_call(run: Run, photo: Callable[..., Path], pen: Callable[..., Path]) -> None:
    enrolled = run("enroll", "ada", photo(1, 0), pen(1, 0), photo(1, 1), pen(1, 1))
    assert enrolled.exit_code == ExitCode.OK, enrolled.output
    assert "2 face references kept." in enrolled.output
    assert "2 signature references kept." in enrolled.output
    accepted = run("verify", "ada", photo(1, 8), pen(1, 8))
    assert accepted.exit_code == ExitCode.OK
    assert accepted.output.count("used") == 2
    assert "share of the LLR" in accepted.output
    assert run("verify", "ada", pen(1, 8), photo(2, 8)).exit_code == ExitCode.REJECTED
    assert run("verify", "ada", pen(2, 8)).exit_code == ExitCode.REJECTED
    answer = json.loads(run("verify", "ada", photo(1, 8), pen(1, 8), "--json").stdout)
    assert [part["status"] for part in answer["modalities"]] == ["MODALITY_STATUS_USED"] * 2
    assert answer["complete"] is True


def test_what_is_missing_is_told_in_words(
    run: Run, photo: Callable[..., Path], pen: Callable[..., Path], spoilt: Path
) -> None:
    run("enroll", "ada", photo(1, 0), photo(1, 1), pen(1, 0), pen(1, 1))
    run("enroll", "sid", pen(1, 0), pen(1, 1))
    unusable = run("verify", "ada", spoilt, pen(1, 8))
    assert unusable.exit_code == ExitCode.REJECTED
    assert "unusable" in unusable.output
    assert "see --accept-partial" in unusable.output
    assert "IMAGE_FORMAT_UNSUPPORTED" in unusable.output
    willing = run("verify", "ada", spoilt, pen(1, 8), "--accept-partial")
    assert willing.exit_code == ExitCode.OK
    assert "Decided on part" in willing.output
    assert "not enrolled" in run("verify", "sid", photo(1, 8), pen(1, 8)).output
    alone = run("verify", "ada", photo(1, 8))
    assert alone.exit_code == ExitCode.OK
    assert "not sent" in alone.output


def test_every_number_of_the_wire_has_a_word() -> None:
    assert len(MODALITY_NAMES) == len(sample_pb2.Modality.values())
    assert len(STATUS_WORDS) == len(verification_pb2.ModalityStatus.values())
    for modality in Modality:
        assert MODALITY_NAMES[sample_pb2.Modality.Value(f"MODALITY_{modality.name}")] == modality.value


def test_every_format_of_files_can_be_named() -> None:
    assert {one.value for one in StrokeFormat} == set(FORMATS)


def test_files_are_told_apart_by_name_and_content(
    photo: Callable[..., Path], pen: Callable[..., Path], tmp_path: Path
) -> None:
    nameless = tmp_path / "photo"
    nameless.write_bytes(photo(1).read_bytes())
    kinds = [type(one) for one in read_sample_files([photo(1), pen(1), nameless, pen(1, 2, ".txt")])]
    assert kinds == [ImageSample, StrokesSample, ImageSample, StrokesSample]
    # A format is for what is no image, and makes strokes of a file that its name does not tell.
    kinds = [type(one) for one in read_sample_files([nameless, photo(1), pen(1, 3, ".log")], stroke_format="csv")]
    assert kinds == [ImageSample, ImageSample, StrokesSample]
    assert isinstance(read_sample_files([pen(1, 3, ".log")])[0], ImageSample)
    assert not IMAGE_SUFFIXES & SUFFIXES.keys()


def test_a_parsed_file_holds_the_signature(pen: Callable[..., Path], signature: Signature) -> None:
    [read] = read_sample_files([pen(1, 4)])
    assert isinstance(read, StrokesSample)
    assert read.x == pytest.approx(signature(1, 4).x)
    assert read.t == pytest.approx(signature(1, 4).t)
    assert read.pen_down == signature(1, 4).pen_down


def test_a_stroke_file_that_does_not_parse_is_named(run: Run, pen: Callable[..., Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("x,y,t\n1,2,three\n")
    with pytest.raises(SampleError) as caught:
        read_sample_files([pen(1), broken])
    assert caught.value.field == f"{broken}, line 2"
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(SampleError) as caught:
        read_sample_files([empty])
    assert caught.value.field == str(empty)
    refused = run("enroll", "ada", pen(1), broken)
    assert refused.exit_code == ExitCode.INPUT
    assert "broken.csv" in refused.stderr
    assert refused.stdout == ""
    # Nothing was sent.
    assert run("verify", "ada", pen(1)).exit_code == ExitCode.STATE


@pytest.mark.parametrize("flag", ["--models", "--model"])
def test_serve_takes_a_bundle_a_modality(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    taken: list[ServiceSettings] = []

    async def take(settings: ServiceSettings) -> None:
        taken.append(settings)

    monkeypatch.setattr("verify.serving.serve", take)
    monkeypatch.setattr("verify.logging.configure_logging", lambda **_: None)
    serving_app = typer.Typer()
    serving_app.command()(serve)
    result = CliRunner().invoke(serving_app, [flag, "models/face", flag, "models/signature"])
    assert result.exit_code == ExitCode.OK, result.output
    assert taken[0].models == (Path("models/face"), Path("models/signature"))


def test_a_crop_box_needs_an_image(photo: Callable[..., Path], pen: Callable[..., Path]) -> None:
    image, strokes = read_sample_files([photo(1), pen(1)], crop="0,0,20,20")
    assert isinstance(image, ImageSample)
    assert image.crop is not None
    assert isinstance(strokes, StrokesSample)
    with pytest.raises(CropInvalid, match="no image to crop"):
        read_sample_files([pen(1)], crop="0,0,20,20")


def test_a_format_is_named_or_refused(run: Run, pen: Callable[..., Path]) -> None:
    assert run("enroll", "ada", pen(1, 0, ".dat"), pen(1, 1, ".dat"), "--format", "csv").exit_code == ExitCode.OK
    assert run("verify", "ada", pen(1, 8, ".dat"), "--format", "csv").exit_code == ExitCode.OK
    assert run("verify", "ada", pen(1), "--format", "gif").exit_code == ExitCode.USAGE
