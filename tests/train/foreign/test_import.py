"""`countersign bundle import`: the file unchanged in a bundle that the evaluator measures and the service serves."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from countersign.main import app
from encode.bundle import bundle_digest, open_bundle
from encode.manifest import ENCODER
from encode.sample import ImageSample, Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.folder import read_folder
from eval.plans.protocol import Protocol
from eval.run import evaluate
from train.importing import import_bundle
from verify.client.client import Client
from verify.model import load_models
from verify.server_thread import serving
from verify.verifier import Verifier

Build = Callable[..., bytes]
SPEC = (
    '[input]\nheight = 32\nwidth = 32\ncolour = "BGR"\nlayout = "NHWC"\nmean = [127.5]\nstd = [127.5]\n'
    '[output]\nname = "embedding"\nnormalise = true\n'
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, foreign_network: Build, people_folder: Path) -> Path:
    """A bundle of a network with fixed batch, channels last and two outputs."""
    root = tmp_path_factory.mktemp("imported")
    (root / "net.onnx").write_bytes(foreign_network((32, 32, 3), batch=1, second="early", size=8))
    (root / "spec.toml").write_text(SPEC)
    import_bundle(root / "net.onnx", root / "spec.toml", [f"folder:{people_folder}"], root / "bundle", name="theirs")
    return root / "bundle"


def test_the_file_is_unchanged_and_wrapped(imported: Path, foreign_network: Build) -> None:
    bundle = open_bundle(imported)
    assert (imported / ENCODER).read_bytes() == foreign_network((32, 32, 3), batch=1, second="early", size=8)
    network = bundle.manifest.network
    assert network is not None
    assert (network.layout, network.output, network.normalise, network.one_by_one) == ("NHWC", "embedding", True, True)
    assert bundle.manifest.embedding.unit_norm
    assert {use.role for use in bundle.manifest.corpora} == {"development"}
    card = (imported / "MODEL_CARD.md").read_text()
    assert "Whom the encoder was trained on is not known here" in card


def test_how_it_is_wrapped_is_under_the_digest(imported: Path) -> None:
    manifest = open_bundle(imported).manifest
    assert manifest.network is not None
    other = manifest.model_copy(update={"network": manifest.network.model_copy(update={"normalise": False})})
    assert bundle_digest(other, manifest.parts) != manifest.model_digest
    assert bundle_digest(manifest.model_copy(update={"network": None}), manifest.parts) != manifest.model_digest


def test_the_service_serves_it(
    imported: Path, colour_face: Callable[[str, int], NDArray[np.uint8]], encoded: Callable[..., bytes]
) -> None:
    models = load_models([imported])

    def shots(person: str, numbers: range) -> list[ImageSample]:
        return [ImageSample(encoded(colour_face(person, number))) for number in numbers]

    with serving(models, MemoryStore()) as address:
        client = Client(address)
        client.enroll("one", "ann", shots("ann", range(5)))
        own = client.verify("one", "ann", shots("ann", range(5, 6)))
        other = client.verify("one", "ann", shots("bob", range(5, 6)))
        client.close()
    assert own.log_likelihood_ratio > other.log_likelihood_ratio


def test_the_evaluator_measures_it(imported: Path, people_folder: Path) -> None:
    verifier = Verifier(load_models([imported]), MemoryStore())
    corpus = read_folder(people_folder, name="people")
    measured = evaluate(corpus, verifier, Modality.FACE, Protocol(references=3, draws=2), replicates=50, quiet=True)
    block = measured.results.random
    assert block is not None
    assert block.eer.value < 0.5


def test_show_and_check(imported: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["bundle", "show", str(imported)])
    assert shown.exit_code == 0
    assert open_bundle(imported).model_digest in shown.output
    assert '"layout": "NHWC"' in shown.output
    checked = CliRunner().invoke(app, ["bundle", "check", str(imported)])
    assert checked.exit_code == 0
    assert "fit to serve" in checked.output
    missing = CliRunner().invoke(app, ["bundle", "check", str(tmp_path)])
    assert missing.exit_code == 6


def test_the_command_names_the_key_at_fault(foreign_network: Build, people_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(foreign_network())
    (tmp_path / "spec.toml").write_text("[input]\nheight = 48\nwidth = 32\n")
    done = CliRunner().invoke(
        app,
        [
            *("bundle", "import", str(tmp_path / "net.onnx"), "--preprocessing", str(tmp_path / "spec.toml")),
            *("--corpus", f"folder:{people_folder}", "--out", str(tmp_path / "out")),
        ],
    )
    assert done.exit_code == 9
    assert "preprocessing.input: the network reads 3x32x32, the preprocessing makes 3x48x32" in done.stderr
    assert not (tmp_path / "out").exists()


def test_importing_needs_no_torch() -> None:
    """The extras `cpu` and `eval` suffice."""
    program = (
        "import sys, train.importing, countersign.commands.bundle\n"
        "print(sorted({'torch', 'torchvision', 'onnx'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
